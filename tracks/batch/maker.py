"""The film anew, with what was found drawn on the pictures that it was found in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from av import VideoFrame

from ..draw import annotate
from ..errors import VedetteError
from ..media.shown import Played
from ..recording import Recorder
from ..types import Detections

ROOM_BYTES = 100 << 20
"""Left free on the disk."""


class Shelf(Protocol):
    """Where a film is written, and kept."""

    @property
    def draft(self) -> Path:
        """The file to write it to."""

    async def keep(self, media_type: str, size: tuple[int, int]) -> str:
        """Keep what was written; it is durable when this returns its id. Raises StorageFull, VedetteError."""

    async def discard(self) -> None:
        """Do without it, unless it was kept."""


class FilmMaker:
    """Writes one film. When that fails it is given up, with the reason in `failure`; whoever watches goes on."""

    def __init__(self, shelf: Shelf, size: tuple[int, int], *, sound: bool) -> None:
        """`size`: width and height, both even."""
        self.failure: VedetteError | None = None
        self._shelf = shelf
        self._size = size
        self._sound = sound
        self._recorder = Recorder(shelf.draft, size, sound=sound, room_bytes=ROOM_BYTES)
        self._pictures = 0

    async def picture(self, frame: VideoFrame, shown: Detections, labels: Sequence[str]) -> None:
        """Take the next picture, with what is to be drawn on it."""
        if self.failure is None:
            try:
                await self._recorder.picture(annotate(frame, shown, labels))
                self._pictures += 1
            except VedetteError as error:
                self.failure = error

    async def sound(self, part: Played) -> None:
        """Take the next sound."""
        if self.failure is None and self._sound:
            try:
                await self._recorder.sound(part.start_s, part.samples)
            except VedetteError as error:
                self.failure = error

    async def finish(self) -> str | None:
        """The id under which the film is kept; None when it has no picture. Raises `failure`, and as `keep`."""
        if self.failure is not None:
            raise self.failure
        if not self._pictures:
            return None
        await self._recorder.finish()
        return await self._shelf.keep(self._recorder.format.media_type, self._size)

    async def close(self) -> None:
        """Let go of it, finished or not."""
        await self._recorder.close()
        await self._shelf.discard()
