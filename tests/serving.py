"""A real server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

REPOSITORY = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 45


@dataclass(frozen=True)
class RunningServer:
    """A server process and where it listens."""

    url: str
    process: asyncio.subprocess.Process
    output: list[str]


class ServerFactory:
    """Starts `python -m server` with the given settings and waits until it is ready."""

    def __init__(self, data_dir: Path, exports: Path) -> None:
        """`exports`: what detectors are exported to, once for all servers of the test run; it takes some seconds."""
        cache = data_dir / "cache"
        cache.mkdir(parents=True)
        (cache / "exports").symlink_to(exports)
        self._data_dir = data_dir
        self._running: list[tuple[RunningServer, asyncio.Task[None]]] = []

    async def __call__(self, **settings: str) -> RunningServer:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VEDETTE_")},
            "VEDETTE_PORT": "0",
            "VEDETTE_DATA_DIR": str(self._data_dir),
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server",
            env=environment,
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output: list[str] = []
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(_read(process, output, listening))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                running = RunningServer(await listening, process, output)
                self._running.append((running, reader))
                async with ClientSession() as http:
                    # Its certificate is the test's own.
                    while (await http.get(f"{running.url}/health/ready", ssl=False)).status != 200:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            process.kill()
            pytest.fail("the server did not get ready:\n" + "".join(output))
        return running

    async def close(self) -> None:
        for running, reader in self._running:
            if running.process.returncode is None:
                running.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                await running.process.wait()
                await reader


async def _read(process: asyncio.subprocess.Process, output: list[str], listening: asyncio.Future[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        text = line.decode()
        output.append(text)
        if text.startswith("  health ") and not listening.done():
            listening.set_result(text.split()[-1].removesuffix("/health"))
    if not listening.done():
        listening.set_exception(RuntimeError("the server ended:\n" + "".join(output)))
