"""Processes that the test has started."""

from __future__ import annotations

import psutil


def children(of: int | None = None) -> list[psutil.Process]:
    """Those of this process, or of another, without the Postgres that all tests share until the last has run."""
    return [child for child in psutil.Process(of).children() if child.name() != "postgres"]


def decoders() -> list[psutil.Process]:
    """Of these, the processes that decode media, the oldest first."""
    found = [child for child in children() if "tracks.media.child" in " ".join(child.cmdline())]
    return sorted(found, key=psutil.Process.create_time)
