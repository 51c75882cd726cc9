"""Self-tests, at the start and on demand: does the detector detect, does the database store, does the disk hold."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tracks.detect import DetectorInfo
from tracks.errors import VedetteError
from tracks.types import Image
from tracks.worker import Worker

from .logs import redact

logger = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "failed"]

CHECK_TIMEOUT_S = 5.0
CACHE_S = 5.0
"""Probes and open pages share one run for this long."""
DISK_DEGRADED_BYTES = 1 << 30
DISK_FAILED_BYTES = 100 << 20
PICTURE_SIZE = (720, 1280)
"""Height and width of the picture that the detector is tried on."""

_WORST: Mapping[Status, int] = {"ok": 0, "degraded": 1, "failed": 2}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one self-test found."""

    status: Status
    detail: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready, camelCase."""


@dataclass(frozen=True, slots=True)
class Check:
    """One self-test. What `run` raises counts as failed."""

    name: str
    run: Callable[[], Awaitable[CheckResult]]


@dataclass(frozen=True, slots=True)
class Report:
    """One run of all self-tests."""

    status: Status
    at: float
    """Unix seconds."""
    checks: Mapping[str, CheckResult]


class Health:
    """Runs the checks side by side with a time limit each, and keeps the report for a moment. Use on the event loop."""

    def __init__(
        self, checks: Sequence[Check], *, timeout_s: float = CHECK_TIMEOUT_S, cache_s: float = CACHE_S
    ) -> None:
        self._checks = tuple(checks)
        self._timeout_s = timeout_s
        self._cache_s = cache_s
        self._running: dict[str, asyncio.Task[CheckResult]] = {}
        self._one_run = asyncio.Lock()
        self._fresh_until_s = 0.0
        self.last: Report | None = None
        """The newest report; None before the first run."""

    async def report(self) -> Report:
        """The newest report, from a new run when it is too old; callers at the same time share one run."""
        async with self._one_run:
            if self.last is None or time.monotonic() >= self._fresh_until_s:
                results = await asyncio.gather(*(self._try(check) for check in self._checks))
                checks = {check.name: result for check, result in zip(self._checks, results, strict=True)}
                self._tell(checks)
                statuses: list[Status] = [result.status for result in results]
                status: Status = max(statuses, key=_WORST.__getitem__, default="ok")
                self.last = Report(status, time.time(), checks)
                self._fresh_until_s = time.monotonic() + self._cache_s
            return self.last

    async def close(self) -> None:
        """Cancel what still runs. Safe to call twice."""
        tasks = set(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._running.clear()

    async def _try(self, check: Check) -> CheckResult:
        # A check that hangs (a dead disk holds its thread) is not started a second time: threads would pile up.
        task = self._running.get(check.name)
        if task is None:
            task = asyncio.ensure_future(check.run())
            self._running[check.name] = task
        done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        if not done:
            return CheckResult("failed", {"error": f"no answer within {self._timeout_s:g} s"})
        self._running.pop(check.name, None)
        try:
            return task.result()
        except asyncio.CancelledError:
            return CheckResult("failed", {"error": "cancelled"})
        except VedetteError as error:
            return CheckResult("failed", {"error": redact(error.message), "code": error.code})
        except Exception as error:
            if not self._was_failed(check.name):
                logger.exception("self-test of %s failed", check.name)
            # An OSError's full text names folders of this machine.
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return CheckResult("failed", {"error": redact(f"{type(error).__name__}: {said}")})

    def _was_failed(self, name: str) -> bool:
        return self.last is not None and self.last.checks[name].status == "failed"

    def _tell(self, checks: Mapping[str, CheckResult]) -> None:
        """Log what changed since the run before, and at first what is not well."""
        for name, result in checks.items():
            before = self.last.checks[name].status if self.last is not None else "ok"
            if result.status != before:
                level = logging.INFO if result.status == "ok" else logging.WARNING
                logger.log(level, "self-test: %s is %s %s", name, result.status, dict(result.detail) or "")


def detector_check(info: Callable[[], DetectorInfo | None], detect: Callable[[Image], Awaitable[object]]) -> Check:
    """Runs one picture through the detector, with the wait for its turn; `degraded` when it is a fallback.

    `detect` is given an RGB picture of 1280x720 and letterboxes it. It raises where there is no detector, and `info` is
    that of the one that it used.
    """

    async def run() -> CheckResult:
        picture = _picture()
        started_s = time.monotonic()
        await detect(picture)
        inference_ms = round((time.monotonic() - started_s) * 1e3, 1)
        found = info()
        assert found is not None
        detail = {"inferenceMs": inference_ms, "model": found.name, "reason": found.reason, "fallback": found.fallback}
        return CheckResult("degraded" if found.fallback else "ok", detail)

    return Check("detector", run)


def database_check(round_trip: Callable[[], Awaitable[None]]) -> Check:
    """`round_trip` writes something, reads it back, and raises when that fails."""

    async def run() -> CheckResult:
        started_s = time.monotonic()
        await round_trip()
        return CheckResult("ok", {"roundTripMs": round((time.monotonic() - started_s) * 1e3, 1)})

    return Check("database", run)


def disk_check(directory: Path) -> Check:
    """Writes, syncs, renames and deletes a small file, and looks at the space left."""

    async def run() -> CheckResult:
        return await asyncio.to_thread(_try_disk, directory)

    return Check("disk", run)


def why_not(worker: Worker[Any, Any, Any]) -> str:
    """Why a worker has no engine, and when that is tried again; empty while nothing has gone wrong yet."""
    if not worker.problem:
        return ""
    wait_s = math.ceil(worker.retry_in_s)
    return f"{worker.problem} ({f'tried again in {wait_s} s at the earliest' if wait_s else 'being tried again'})"


def describe(info: DetectorInfo) -> dict[str, Any]:
    """The detector as clients see it; the file without its folder, which is nobody's business."""
    return {
        "name": info.name,
        "runtime": info.runtime,
        "device": info.device,
        "precision": info.precision,
        "file": Path(info.file).name,
        "sha256": info.sha256,
        "labels": list(info.labels),
        "reason": info.reason,
        "fallback": info.fallback,
    }


def _picture() -> Image:
    """A gradient: a plain picture could hide a detector that fails on content."""
    height, width = PICTURE_SIZE
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    picture[..., 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    picture[..., 2] = 128
    return picture


def _try_disk(directory: Path) -> CheckResult:
    """Blocking: run in a thread."""
    content = os.urandom(4096)
    descriptor, name = tempfile.mkstemp(prefix=".self-test-", dir=directory)
    written = renamed = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        renamed = written.rename(written.with_suffix(".renamed"))
        if renamed.read_bytes() != content:
            raise OSError("a file came back with other content than was written")
    finally:
        renamed.unlink(missing_ok=True)
        written.unlink(missing_ok=True)
    free_bytes = shutil.disk_usage(directory).free
    status: Status = "ok"
    if free_bytes < DISK_FAILED_BYTES:
        status = "failed"
    elif free_bytes < DISK_DEGRADED_BYTES:
        status = "degraded"
    return CheckResult(status, {"freeBytes": free_bytes})
