"""The bare detector as the benchmark sees it: a process that detects without pause and counts when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .processes import Failed, process, word

BARE_S = 20.0
"""How long the bare detector is counted at most."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Which model, on which frames."""

    weights: str
    """A path or a registry name."""
    cache: str
    """Folder of the rendered content."""
    data_dir: str
    """Where exports are kept."""
    jpeg: bool = False
    """Pictures are decoded from JPEG, each before it is looked at."""
    truth: str | None = None
    """File for what is found on every frame; then nothing is counted."""


class BareDetector:
    """A running detector process."""

    def __init__(self, child: Process, log: Path) -> None:
        self._child = child
        self._log = log

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    async def begin(self) -> None:
        """Count from now."""
        await self._say("begin")

    async def end(self) -> float:
        """Frames per second since `begin`. Raises Failed when the process is gone."""
        await self._say("end")
        assert self._child.stdout is not None
        line = await self._child.stdout.readline()
        if not line:
            raise Failed(f"the bare detector ended, see {self._log}")
        return float(line)

    async def _say(self, text: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{text}\n".encode())
        await self._child.stdin.drain()


@contextlib.asynccontextmanager
async def bare_detector(options: DetectorOptions, out: Path) -> AsyncIterator[BareDetector]:
    """A detector process that is warm and detecting. Raises Failed when it does not get there."""
    log = out / "detector.log"
    async with process(("bench.detect_loop", json.dumps(asdict(options))), log) as child:
        await word(child, "ready", log)
        yield BareDetector(child, log)


async def bare_rate(options: DetectorOptions, out: Path, seconds: float) -> float:
    """Pictures per second of a detector with the machine to itself, over `BARE_S` at most. Raises Failed."""
    async with bare_detector(options, out) as detector:
        await detector.begin()
        await asyncio.sleep(min(BARE_S, seconds))
        return await detector.end()


async def find_truth(options: DetectorOptions, out: Path) -> None:
    """Write the detector's own result on every frame of the content to `options.truth`.

    Raises Failed when the process does not finish.
    """
    log = out / "truth.log"
    async with process(("bench.detect_loop", json.dumps(asdict(options))), log) as child:
        await word(child, "found", log)
