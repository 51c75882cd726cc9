"""What the kernel knows of a process: CPU time by thread, descriptors, threads, memory. Linux only: reads /proc."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

DETECTOR_THREADS = "worker-"
"""The name that the detector's thread gives itself; the threads that its runtime starts from there inherit it."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time so far, in seconds."""

    total_s: float
    detector_s: float
    """The part spent on the detector's threads."""

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.total_s - earlier.total_s, self.detector_s - earlier.detector_s)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds at one moment."""

    descriptors: int
    threads: int
    rss_mb: float


def cpu(pid: int) -> Cpu:
    """CPU time of a process, ended threads included, and of its detector. Raises FileNotFoundError when it is gone."""
    root = Path("/proc") / str(pid)
    detector_s = 0.0
    for task in (root / "task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may end while we look
            name, seconds = _stat(task / "stat")
            if name.startswith(DETECTOR_THREADS):
                detector_s += seconds
    return Cpu(_stat(root / "stat")[1], detector_s)


def holdings(pid: int) -> Holdings:
    """Open descriptors, threads and resident memory of a process."""
    root = Path("/proc") / str(pid)
    resident = int((root / "statm").read_text().split()[1]) * _PAGE_BYTES
    return Holdings(len(os.listdir(root / "fd")), len(os.listdir(root / "task")), resident / 1e6)


def machine_busy_s() -> float:
    """CPU time that all cores together have spent on anything, in seconds."""
    fields = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / _TICKS_PER_S


def _stat(path: Path) -> tuple[str, float]:
    """(name, user and system seconds); the name is in parentheses and may hold anything, so it is cut out first."""
    text = path.read_text()
    name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    return name, (int(rest[11]) + int(rest[12])) / _TICKS_PER_S
