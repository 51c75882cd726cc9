"""The data directory: one server at a time, and a name for this node that survives restarts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from tracks.errors import Conflict
from tracks.events.envelope import new_id

if sys.platform != "win32":
    import fcntl


class DataDir:
    """Holds the directory for this process: two servers on one database would end each other's sessions.

    A context manager, blocking for a moment. Raises Conflict when another process holds it, OSError when it cannot be
    made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.node = ""
        """Name of this node in the database."""
        self._lock: IO[str] | None = None

    def __enter__(self) -> DataDir:
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Conflict(
                f"another server runs on the data in {self.path}; stop it, or choose another with VEDETTE_DATA_DIR"
            ) from None
        self._lock = lock
        self.node = self._name()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def _name(self) -> str:
        file = self.path / "node"
        if not file.exists():
            written = file.with_suffix(".new")
            written.write_text(new_id())
            os.replace(written, file)
        return file.read_text().strip()
