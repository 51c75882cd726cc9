"""A camera that is reached over RTSP: watched for ever, and looked for again whenever it has gone.

One task does everything: connect, follow, wait, connect again; so there is never more than one attempt at a time. Each
attempt has a child and memory of its own, and nothing of one is left when the next begins. The tracks stay the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from fractions import Fraction

from aiortc.mediastreams import VIDEO_CLOCK_RATE
from av import AudioFrame, VideoFrame

from ..errors import Overloaded, SourceUnreachable, UnsupportedMedia, VedetteError
from ..events.session import SessionState
from ..media.info import MediaInfo, Tally
from ..media.limits import LIVE, Limits
from ..media.live import DEFAULT_WAITS, Connection, Feed, connect, watch_camera
from ..media.process import DecoderLost
from ..media.shown import Played, Shot
from ..media.wire import PLAY_RATE
from ..planes import copy
from ..queued import QueuedTrack
from ..rtsp.waits import Waits
from ..stats import Stats
from .patience import CRASHES_WITHIN_S, Backoff, Crashes
from .reach import Reach, Resolve
from .urls import MediaUrl

logger = logging.getLogger(__name__)

STALL_S = 5.0
"""Without a picture for so long a camera is stalled; if nothing comes for a little longer it is connected to anew."""
PROBE_S = 15.0
PACKET_SAMPLES = PLAY_RATE // 50


@dataclass(frozen=True, slots=True)
class Target:
    """A camera, and how it is reached."""

    url: MediaUrl
    reach: Reach
    """Where it may be: asked at every attempt, as names change their addresses."""
    udp: bool = False
    """RTP over UDP in place of the RTSP connection."""
    resolve: Resolve | None = None
    """In place of the system's resolver."""
    waits: Waits = DEFAULT_WAITS
    limits: Limits = LIVE


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found at a camera."""

    media: MediaInfo
    picture: VideoFrame


class CameraSource:
    """A `Watched` source. `open_camera` makes it."""

    def __init__(
        self,
        target: Target,
        stats: Stats,
        *,
        audio: bool,
        backoff: Backoff | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = asyncio.sleep,
    ) -> None:
        self._target = target
        self._stats = stats
        self._backoff = backoff or Backoff()
        self._crashes = Crashes()
        self._now = now
        self._sleep = sleep
        self._epoch_s = now()
        self._changed: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._stalling: asyncio.TimerHandle | None = None
        self._picture_s: float | None = None
        self._live_s: float | None = None
        self._last_ticks = -1
        self._next_sample = 0
        self.state: SessionState = "connecting"
        self.reason: str | None = None
        self.failure: VedetteError | None = None
        self.media: MediaInfo | None = None
        """What it sends, as of the last time that it was reached."""
        self.video = QueuedTrack("video", self._lost)
        self.audio = QueuedTrack("audio", self._lost) if audio else None

    @property
    def picture_age_s(self) -> float | None:
        """See `Watched`."""
        return None if self._picture_s is None else self._now() - self._picture_s

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Watched`."""
        self._changed = changed

    def start(self) -> None:
        """Begin to look for the camera."""
        self._task = asyncio.create_task(self._run(), name="camera")

    async def close(self) -> None:
        """Let go of the camera and end both tracks."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._stop()

    def _stop(self) -> None:
        self._expect_picture(None)
        for track in (self.video, self.audio):
            if track is not None:
                track.stop()

    def _lost(self) -> None:
        self._stats.drops["source"] += 1

    async def _run(self) -> None:
        try:
            while (failure := await self._attempt()) is None or not self._hopeless(failure):
                wait_s = self._backoff.next(0.0 if self._live_s is None else self._now() - self._live_s)
                self._change("reconnecting", "the camera has ended" if failure is None else failure.message)
                self._live_s = None
                self._stats.reconnects += 1
                await self._sleep(wait_s)  # type: ignore[misc]
        except Exception:
            logger.exception("a camera cannot be watched on")
            self.failure = VedetteError("the camera cannot be watched on: the server's log says why")
        if self.failure is not None:
            self._change("failed", self.failure.message)
        self._stop()

    async def _attempt(self) -> VedetteError | None:
        """Follow the camera for as long as it is there; returns what became of it."""
        target, audio = self._target, self.audio is not None
        try:
            with contextlib.closing(await _connect(target)) as connection:
                async with watch_camera(connection, audio=audio, waits=target.waits, limits=target.limits) as feed:
                    self.media = feed.info
                    await self._follow(feed)
        except VedetteError as error:
            return error
        finally:
            self._expect_picture(None)
        return None

    def _hopeless(self, failure: VedetteError) -> bool:
        """Whether to give up: its decoder fails again and again, and would go on to."""
        if not isinstance(failure, DecoderLost | Overloaded) or not self._crashes.too_many(self._now()):
            return False
        self.failure = SourceUnreachable(
            f"what decodes the camera failed too often within {CRASHES_WITHIN_S:g} s, at last: {failure.message}"
        )
        return True

    async def _follow(self, feed: Feed) -> None:
        told = Tally(lost=0, damaged=0, late=0)
        async with aclosing(feed.parts()) as parts:
            async for part in parts:
                if isinstance(part, Shot):
                    self._show(part)
                elif isinstance(part, Played):
                    self._play(part)
                else:
                    drops = self._stats.drops
                    drops["network"] += max(0, part.lost - told.lost)
                    drops["damaged"] += max(0, part.damaged - told.damaged)
                    drops["source"] += max(0, part.late - told.late)
                    told = part

    def _show(self, shot: Shot) -> None:
        self._picture_s = self._now()
        self._expect_picture(STALL_S)
        frame = shot.take()
        assert frame.pts is not None
        frame.pts -= round(self._epoch_s * VIDEO_CLOCK_RATE)
        if frame.pts <= self._last_ticks:
            self._lost()
            return
        self._last_ticks = frame.pts
        self.video.offer(frame)
        if self.state != "live":
            self._live_s = self._live_s or self._now()
            self._change("live", None)

    def _play(self, part: Played) -> None:
        if self.audio is None:
            return
        for at in range(0, len(part.samples), PACKET_SAMPLES):
            samples = part.samples[at : at + PACKET_SAMPLES]
            sample = round((part.start_s - self._epoch_s) * PLAY_RATE) + at
            # What follows on goes on exactly: the child's times have the jitter of floating point.
            if abs(sample - self._next_sample) <= 2:
                sample = self._next_sample
            if len(samples) < PACKET_SAMPLES or sample < self._next_sample:
                continue
            frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = PLAY_RATE
            frame.pts, frame.time_base = sample, Fraction(1, PLAY_RATE)
            self._next_sample = sample + PACKET_SAMPLES
            self.audio.offer(frame)

    def _expect_picture(self, within_s: float | None) -> None:
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None
        if within_s is not None:
            self._stalling = asyncio.get_running_loop().call_later(within_s, self._stalled)

    def _stalled(self) -> None:
        self._change("stalled", f"no picture for {STALL_S:g} s")

    def _change(self, state: SessionState, reason: str | None) -> None:
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        if self._changed is not None:
            self._changed()


async def open_camera(target: Target, *, audio: bool = True, stats: Stats | None = None) -> CameraSource:
    """A camera that is watched from now on, whether it is there or not."""
    source = CameraSource(target, stats or Stats(), audio=audio)
    source.start()
    return source


async def probe(target: Target) -> Probed:
    """Connect, and take the first picture.

    Raises ForbiddenUrl, SourceUnreachable, UnsupportedMedia and PayloadTooLarge for what is there; Overloaded.
    """
    try:
        async with asyncio.timeout(PROBE_S):
            with contextlib.closing(await _connect(target)) as connection:
                watching = watch_camera(connection, waits=target.waits, limits=target.limits)
                async with watching as feed, aclosing(feed.parts()) as parts:
                    async for part in parts:
                        if isinstance(part, Shot):
                            return Probed(feed.info, copy(part.take()))
    except TimeoutError:
        raise SourceUnreachable(f"there was no picture within {PROBE_S:g} s") from None
    except DecoderLost as error:
        raise UnsupportedMedia(f"what the camera sends cannot be decoded: {error.message}") from None
    raise SourceUnreachable("the camera ended before its first picture")


async def _connect(target: Target) -> Connection:
    return await connect(target.url, target.reach, udp=target.udp, resolve=target.resolve)
