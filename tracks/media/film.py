"""Untrusted media files, picture and sound, decoded in a process of their own.

```python
async with show_film(path) as film:
    film.info.video
    async for part in film.parts():
        match part:
            case Shot():
                part.at_s, part.take()
            case Played():
                part.start_s, part.samples
    film.ending
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from . import wire
from .info import Ending, MediaInfo, cut_off
from .limits import FILM, Limits
from .process import Child, running
from .ring import Ring
from .shown import Played, Reading, Shot

LONGEST_S = 1.0
"""Of sound in one message."""
TAIL_S = 1.0
"""So much longer than the cap media times may be: encoders round and pad."""


class Film:
    """A file while it is shown. `show_film` makes it."""

    def __init__(self, child: Child, info: MediaInfo, ring: Ring | None, plays: bool, limits: Limits) -> None:
        self.shows = ring is not None
        """Whether there will be pictures."""
        self.plays = plays
        """Whether there will be sound."""
        self._child = child
        self._ring = ring
        self._limits = limits
        self._reading = Reading(child, ring, self._is_possible, round(LONGEST_S * wire.PLAY_RATE), -1.0)
        self.info = info
        self.ending: Ending | None = None
        """None until the last part was taken."""

    async def parts(self) -> AsyncGenerator[Shot | Played, None]:
        """Every picture and all sound, each in the order of time, both as they lie in the file.

        The decoder waits for who reads, and while there is no room for pictures. Raises as `show_film`.
        """
        async with aclosing(self._child.messages(self._limits.stall_s, self._room)) as messages:
            async for kind, payload in messages:
                if kind == wire.END:
                    self.ending = self._child.parse(Ending, payload)
                elif kind == wire.PICTURE:
                    yield self._reading.shot(payload)
                else:
                    yield self._reading.played(payload)

    async def _room(self) -> None:
        if self._ring is not None:
            await self._ring.room()

    def _is_possible(self, at_s: float) -> bool:
        return at_s <= self._limits.max_duration_s + TAIL_S


@asynccontextmanager
async def show_film(
    path: Path, *, video: bool = True, audio: bool = True, limits: Limits = FILM
) -> AsyncIterator[Film]:
    """The file's pictures and sound, as far as wanted, while they are decoded. Leaving early kills the decoder.

    Raises UnsupportedMedia and PayloadTooLarge for what the file is or turns out to be, on entering and while parts are
    read; Overloaded when the machine does not let it be decoded; FileNotFoundError.
    """
    ring = Ring(limits) if video else None
    try:
        async with running("film", path, limits, pictures=ring, sound=audio) as child:
            info = await child.first(MediaInfo)
            if ring is not None and info.video is not None:
                ring.fit(info.video.width, info.video.height)
            shown = None if info.video is None else ring
            yield Film(child, info, shown, audio and info.audio is not None, limits)
    finally:
        if ring is not None:
            ring.close()


async def examine(path: Path, *, limits: Limits = FILM) -> MediaInfo:
    """What is in a file that is to be played: with its measured duration, its picture's size the right way up.

    Raises as `show_film`, and UnsupportedMedia when the file is cut off, or has something that cannot be decoded.
    """
    async with running("examine", path, limits) as child:
        info = await child.first(MediaInfo)
        stated_s = info.duration_s
        async with aclosing(child.messages()) as messages:
            async for kind, payload in messages:
                if kind == wire.INFO:
                    info = child.parse(MediaInfo, payload)
                elif kind == wire.END:
                    ending = child.parse(Ending, payload)
                    if ending.cut_off:
                        raise cut_off(ending, stated_s)
                else:
                    raise child.nonsense()
    return info
