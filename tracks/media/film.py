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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av import VideoFrame

from ..types import Stereo
from . import wire
from .info import Ending, MediaInfo, cut_off
from .limits import FILM, Limits
from .process import Child, running
from .ring import Ring

LONGEST_S = 1.0
"""Of sound in one message."""
TAIL_S = 1.0
"""So much longer than the cap media times may be: encoders round and pad."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture of the film, in the memory that the decoder shares: either take it or drop it, soon."""

    at_s: float
    """Media time: 0 is where the file begins."""
    width: int
    height: int
    slot: int
    ring: Ring

    def take(self) -> VideoFrame:
        """The picture, yuv420p, its pts in 1/90000 s: for reading. Call once."""
        return self.ring.take(self.slot, self.width, self.height, self.at_s)

    def drop(self) -> None:
        """Do without it."""
        self.ring.drop(self.slot)


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A tenth of a second of sound, or less."""

    start_s: float
    """Media time of the first sample. A gap in the recording is a gap in these."""
    samples: Stereo


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
        self._seen_s = -1.0
        self._heard_s = 0.0
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
                    yield self._shot(payload)
                else:
                    yield self._played(payload)

    async def _room(self) -> None:
        if self._ring is not None:
            await self._ring.room()

    def _shot(self, payload: bytes) -> Shot:
        """A picture where one can be: the caps hold even for a decoder that the file has taken over."""
        if self._ring is None or len(payload) != wire.PLACE.size:
            raise self._child.nonsense()
        slot, at_s, width, height = wire.PLACE.unpack(payload)
        if not self._seen_s < at_s <= self._limits.max_duration_s + TAIL_S:
            raise self._child.nonsense()
        try:
            self._ring.filled(slot, width, height)
        except ValueError:
            raise self._child.nonsense() from None
        self._seen_s = at_s
        return Shot(at_s, width, height, slot, self._ring)

    def _played(self, payload: bytes) -> Played:
        samples, rest = divmod(len(payload) - wire.TIME.size, wire.SAMPLE_BYTES)
        if rest or not 0 < samples <= LONGEST_S * wire.PLAY_RATE:
            raise self._child.nonsense()
        (start_s,) = wire.TIME.unpack_from(payload)
        if not self._heard_s - 1 / wire.PLAY_RATE <= start_s <= self._limits.max_duration_s + TAIL_S:
            raise self._child.nonsense()
        self._heard_s = start_s + samples / wire.PLAY_RATE
        return Played(start_s, np.frombuffer(payload, "<i2", offset=wire.TIME.size).reshape(-1, 2))


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
