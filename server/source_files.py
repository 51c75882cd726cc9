"""The files of uploads: kept until their source is removed, each under the id of its source, with what is in it beside.

A file is durable before the row of its source is there, and is taken away after it: a crash leaves files without a row
at most, which the next start removes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tracks.errors import Overloaded, SourceUnreachable, StorageFull
from tracks.media.info import MediaInfo
from tracks.media.limits import MIB

MAX_AT_ONCE = 4
"""Files received or examined at a time: each takes up to 512 MiB of disk before it is known whether it can be kept."""
RETRY_S = 5.0

_DESCRIPTION = ".json"


class SourceFiles:
    """The folder of uploads, and its quota. Call on the event loop."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._media: dict[str, MediaInfo] = {}
        self._sizes: dict[str, int] = {}
        self._at_once = 0

    async def start(self, source_ids: Collection[str]) -> None:
        """Make room; files of no source, and those that a crash left half there, go."""
        await asyncio.to_thread(self._tidy, frozenset(source_ids))

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(self._sizes.values())

    @contextmanager
    def place(self, size: int) -> Iterator[None]:
        """A place for a file of about that size, from its first byte on. Raises Overloaded, and StorageFull when the
        quota has no room for it."""
        if self._at_once >= MAX_AT_ONCE:
            raise Overloaded(
                f"{MAX_AT_ONCE} files are being received, which is all at once that this server does",
                {"retryAfter": RETRY_S},
            )
        self._check_room(size)
        self._at_once += 1
        try:
            yield
        finally:
            self._at_once -= 1

    async def keep(self, source_id: str, path: Path, media: MediaInfo) -> None:
        """Move a file that was received here: durable when this returns. Raises StorageFull over the quota."""
        size = (await asyncio.to_thread(path.stat)).st_size
        self._check_room(size)
        self._sizes[source_id], self._media[source_id] = size, media
        try:
            await asyncio.to_thread(self._move, source_id, path, media)
        except BaseException:
            await self.remove(source_id)
            raise

    async def remove(self, source_id: str) -> None:
        """Remove the file of a source, if it has one."""
        self._sizes.pop(source_id, None)
        self._media.pop(source_id, None)
        await asyncio.to_thread(self._delete, source_id)

    def media(self, source_id: str) -> MediaInfo | None:
        """What is in the file of a source; None for a source without."""
        return self._media.get(source_id)

    def path(self, source_id: str) -> Path:
        """Where the file of an upload is. Raises SourceUnreachable when it is gone."""
        if source_id not in self._media:
            raise SourceUnreachable("its file is gone")
        return self._folder / source_id

    def _check_room(self, size: int) -> None:
        if self.bytes + size > self._max_bytes:
            raise StorageFull(f"the {self._max_bytes / MIB:g} MiB kept for uploads are used up: remove sources first")

    def _move(self, source_id: str, path: Path, media: MediaInfo) -> None:
        """Blocking."""
        description = self._folder / (source_id + _DESCRIPTION)
        description.write_text(media.model_dump_json())
        for written in (path, description):
            with written.open("rb") as file:
                os.fsync(file.fileno())
        path.rename(self._folder / source_id)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _delete(self, source_id: str) -> None:
        """Blocking."""
        for name in (source_id, source_id + _DESCRIPTION):
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).unlink()

    def _tidy(self, source_ids: frozenset[str]) -> None:
        """Blocking."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for source_id in {entry.name.removesuffix(_DESCRIPTION) for entry in self._folder.iterdir()}:
            try:
                media = MediaInfo.model_validate_json((self._folder / (source_id + _DESCRIPTION)).read_bytes())
                size = (self._folder / source_id).stat().st_size
            except (OSError, ValueError):
                self._delete(source_id)
                continue
            if source_id in source_ids:
                self._media[source_id], self._sizes[source_id] = media, size
            else:
                self._delete(source_id)
