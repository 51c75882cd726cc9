"""A file, played once in real time: pictures and sound by one clock, decoded in a process of its own.

What was decoded waits here until it is due: 0.8 s of pictures, in the memory that the decoder shares, and 10 s of
sound, since a file may have the two so far apart. A picture that is late gives way to a newer one, and is counted; a
decoder that does not keep up makes everything late, and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from av import AudioFrame
from av.frame import Frame

from ..errors import SourceUnreachable, VedetteError
from ..media.film import Film, show_film
from ..media.limits import FILM, Limits
from ..media.shown import Played, Shot
from ..media.slots import MAX_SLOTS
from ..media.wire import PLAY_RATE
from ..queued import QueuedTrack
from ..stats import Stats
from .pace import Pace

logger = logging.getLogger(__name__)

PACKET_SAMPLES = PLAY_RATE // 50
"""Of a frame of sound: 20 ms."""
AHEAD_PARTS = 100
"""Of sound, 10 s: muxers keep picture and sound no further apart."""


class FileSource:
    """A `Source` that ends with its file. It begins when one of its tracks is read for the first time."""

    def __init__(self, film: Film, opened: AsyncExitStack, stats: Stats, pace: Pace) -> None:
        self._film = film
        self._opened = opened
        self._stats = stats
        self._pace = pace
        self._wanted = asyncio.Event()
        self._shots: asyncio.Queue[Shot | None] = asyncio.Queue(MAX_SLOTS)
        self._played: asyncio.Queue[Played | None] = asyncio.Queue(AHEAD_PARTS)
        self._tasks: list[asyncio.Task[None]] = []
        self.failure: VedetteError | None = None
        """Why the file could not be played to its end."""
        self.video = _Track("video", self._lost, self._wanted) if film.shows else None
        self.audio = _Track("audio", self._lost, self._wanted) if film.plays else None
        stats.queues["source"] = self._shots.qsize

    def start(self) -> None:
        """Begin to decode; nothing is due before a track is read."""
        self._start(self._decode)
        if self.video is not None:
            self._start(partial(self._show, self.video))
        if self.audio is not None:
            self._start(partial(self._play, self.audio))

    async def close(self) -> None:
        """End both tracks and the decoder."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._stop()
        await self._opened.aclose()

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._guarded(work), name="file-source"))

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            logger.exception("a file could not be played on")
            self.failure = VedetteError("the file could not be played on")
            self._stop()

    def _stop(self) -> None:
        for track in (self.video, self.audio):
            if track is not None:
                track.stop()

    def _lost(self) -> None:
        self._stats.drops["source"] += 1

    async def _decode(self) -> None:
        try:
            async with aclosing(self._film.parts()) as parts:
                async for part in parts:
                    if isinstance(part, Shot):
                        await self._shots.put(part)
                    else:
                        await self._played.put(part)
        except VedetteError as error:
            self.failure = error
        if self._film.ending is not None:
            self._stats.drops["damaged"] += self._film.ending.damaged
        await self._shots.put(None)
        await self._played.put(None)

    async def _show(self, track: QueuedTrack) -> None:
        await self._wanted.wait()
        while (shot := await self._shots.get()) is not None:
            await self._pace.until(shot.at_s)
            track.offer(shot.take())
        track.stop()

    async def _play(self, track: QueuedTrack) -> None:
        await self._wanted.wait()
        while (part := await self._played.get()) is not None:
            for at in range(0, len(part.samples), PACKET_SAMPLES):
                start_s = part.start_s + at / PLAY_RATE
                await self._pace.until(start_s)
                track.offer(_frame(part, at, start_s))
        track.stop()


class _Track(QueuedTrack):
    """A track that tells when it is read."""

    def __init__(self, kind: str, lost: Callable[[], None], wanted: asyncio.Event) -> None:
        super().__init__(kind, lost)
        self._wanted = wanted

    async def recv(self) -> Frame:
        """The next frame. Raises MediaStreamError at the end of the file, or once closed."""
        self._wanted.set()
        return await super().recv()


async def open_file(
    path: Path,
    *,
    video: bool = True,
    audio: bool = True,
    stats: Stats | None = None,
    limits: Limits = FILM,
    pace: Pace | None = None,
) -> FileSource:
    """Open a file to be played; `video` and `audio` say what of it is wanted. Takes about 0.2 s.

    `stats` counts as drops what was late (`source`) and what could not be decoded (`damaged`). Raises SourceUnreachable
    when there is no such file, UnsupportedMedia and PayloadTooLarge for what it is, Overloaded.
    """
    async with AsyncExitStack() as stack:
        try:
            film = await stack.enter_async_context(show_film(path, video=video, audio=audio, limits=limits))
        except FileNotFoundError:
            raise SourceUnreachable("its file is gone") from None
        source = FileSource(film, stack.pop_all(), stats or Stats(), pace or Pace())
        source.start()
    return source


def _frame(part: Played, at: int, start_s: float) -> AudioFrame:
    """20 ms of a part from sample `at` on, filled up with silence at the end of a recording."""
    samples = part.samples[at : at + PACKET_SAMPLES]
    if len(samples) < PACKET_SAMPLES:
        samples = np.pad(samples, ((0, PACKET_SAMPLES - len(samples)), (0, 0)))
    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = PLAY_RATE
    frame.pts, frame.time_base = round(start_s * PLAY_RATE), Fraction(1, PLAY_RATE)
    return frame
