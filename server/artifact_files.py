"""Where the bytes of artifacts are: behind one small interface, files on a volume now."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import AsyncGenerator, Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import IO, Protocol

from tracks.errors import InvalidRequest, NotFound, StorageFull, VedetteError

CHUNK_BYTES = 256 * 1024
RESERVE_BYTES = 100 << 20
"""Left free on the volume, as the database is on it too: events are worth more than pictures of them."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The canonical text form of a UUID (RFC 9562): neither a path nor anything that leads out of the folder."""
_UNFINISHED = ".new"


class BlobStore(Protocol):
    """Bytes by key, where a key is a UUID."""

    async def put(self, key: str, content: bytes) -> None:
        """Store them; when this returns they survive a crash. Raises StorageFull, or VedetteError when it fails."""

    def draft(self, key: str) -> Path:
        """A file to be written to, for what is to be stored under this key and does not fit into memory."""

    async def measure_draft(self, key: str) -> tuple[int, str]:
        """How many bytes were written to it, and their SHA-256 in hexadecimal digits. Raises as `put`."""

    async def put_draft(self, key: str) -> None:
        """Store what was written to it, as `put` does."""

    async def drop_draft(self, key: str) -> None:
        """Remove it, if it is there."""

    def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `stop`, piece by piece. Raises NotFound at the first."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove what is there of them."""

    async def keys(self) -> list[str]:
        """What is there."""


class FileBlobs:
    """One file a key in one folder. Its work is done by `threads`, so that a stuck disk holds up nobody else."""

    def __init__(self, folder: Path, threads: Executor, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._folder = folder
        self._threads = threads
        self._reserve_bytes = reserve_bytes

    async def put(self, key: str, content: bytes) -> None:
        """Written beside, synced, renamed, and the folder synced: there is all of it or nothing."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._put, self._path(key), content)

    def draft(self, key: str) -> Path:
        """Beside where it is to be, so that to store it is to rename it; a crash leaves it to `keys`."""
        return _unfinished(self._path(key))

    async def measure_draft(self, key: str) -> tuple[int, str]:
        """Reads all of it: 0.1 s for 100 MB that were just written."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _measure, self.draft(key))

    async def put_draft(self, key: str) -> None:
        """Synced, renamed, and the folder synced."""
        path = self._path(key)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._finish, path, _unfinished(path))

    async def drop_draft(self, key: str) -> None:
        """What is gone already is no error."""
        await asyncio.get_running_loop().run_in_executor(self._threads, _delete, [self.draft(key)])

    async def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """An open file is read to its end, also when it is deleted meanwhile."""
        run = asyncio.get_running_loop().run_in_executor
        path = self._path(key)
        try:
            file: IO[bytes] = await run(self._threads, _open, path, start)
        except FileNotFoundError:
            raise NotFound(f"artifact {key!r} has lost its file") from None
        try:
            while start < stop:
                piece = await run(self._threads, file.read, min(CHUNK_BYTES, stop - start))
                if not piece:
                    raise VedetteError(f"artifact {key!r} has lost the end of its file")
                start += len(piece)
                yield piece
        finally:
            file.close()  # only read from: nothing to write back, so nothing to wait for

    async def delete(self, keys: Iterable[str]) -> None:
        """What is gone already is no error; nor is what cannot be deleted, which the next start tries again."""
        paths = [self._path(key) for key in keys]
        await asyncio.get_running_loop().run_in_executor(self._threads, _delete, paths)

    async def keys(self) -> list[str]:
        """Removes what a crash left half written, too; call before the first `put`. Makes the folder."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._tidy)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise InvalidRequest(f"{key[:40]!r} is not an artifact's id, expected a UUID")
        return self._folder / key

    def _put(self, path: Path, content: bytes) -> None:
        written = _unfinished(path)
        with _cleaning(path, written):
            if shutil.disk_usage(self._folder).free - len(content) < self._reserve_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with written.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            written.rename(path)
            _sync_folder(self._folder)

    def _finish(self, path: Path, written: Path) -> None:
        with _cleaning(path, written):
            with written.open("rb+") as file:
                os.fsync(file.fileno())
            written.rename(path)
            _sync_folder(self._folder)

    def _tidy(self) -> list[str]:
        self._folder.mkdir(parents=True, exist_ok=True)
        keys = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if _KEY.fullmatch(entry.name):
                    keys.append(entry.name)
                elif _KEY.fullmatch(entry.name.removesuffix(_UNFINISHED)):
                    os.unlink(entry.path)
        return keys


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + _UNFINISHED)


@contextlib.contextmanager
def _cleaning(path: Path, written: Path) -> Iterator[None]:
    """When writing fails nothing is left. Raises StorageFull, or VedetteError."""
    try:
        yield
    except OSError as error:
        for left in (written, path):
            with contextlib.suppress(OSError):
                left.unlink()
        if error.errno in NO_ROOM:
            raise StorageFull("the disk is full: no room for another artifact") from None
        # Without the path, which is no client's business.
        raise VedetteError(f"an artifact cannot be written: {error.strerror}") from error


def _measure(path: Path) -> tuple[int, str]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        raise VedetteError(f"an artifact cannot be read: {error.strerror}") from error


def _open(path: Path, start: int) -> IO[bytes]:
    file = path.open("rb")
    file.seek(start)
    return file


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename last. Windows has no such call for folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
