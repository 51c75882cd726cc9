"""What one client sends of pictures and sound, on its way into the session.

Every picture has one outcome: it is detected, it is lost and told as such, or it is refused with an error. `IN_FLIGHT`
of them may be without one; where another comes, the newer wins.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE
from av import AudioFrame, VideoFrame

from signaling.losses import Losses
from tracks.clock import StampClock
from tracks.errors import InvalidRequest, PayloadTooLarge, VedetteError
from tracks.images import decode_image
from tracks.pushed import PushedTrack
from tracks.stats import Stats
from tracks.ticket import Ticket, ticket_of

logger = logging.getLogger(__name__)

IN_FLIGHT = 2
"""Pictures that a client may leave unanswered before it loses one for each that it sends."""
AUDIO_RATES = (8_000, 16_000, 48_000)
MIN_CHUNK_S, MAX_CHUNK_S = 0.02, 1.0
AUDIO_CAPACITY = 50
FINISH_S = 5.0
"""For the last pictures to be detected."""

Refused = Callable[[VedetteError, float, str | None], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    data: bytes | str
    ticket: Ticket


class Intake:
    """Takes pictures and sound from one client. `refused` is told of a picture (its ts and id) that is none.

    Call on the event loop; `threads` decode.
    """

    def __init__(self, stamps: StampClock, threads: Executor, stats: Stats, losses: Losses, refused: Refused) -> None:
        self._stamps = stamps
        self._threads = threads
        self._stats = stats
        self._losses = losses
        self._refused = refused
        self._video = PushedTrack("video", 1, self._video_lost)
        self._audio = PushedTrack("audio", AUDIO_CAPACITY, self._audio_lost)
        self._base_s: float | None = None
        """The stamp at which the tracks' pts begin."""
        self._newest_s: dict[str, float] = {}
        self._last_ticks = -1
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._unanswered: dict[float, Ticket] = {}
        """By ts, the oldest first."""
        self._answered = asyncio.Event()
        self._decoder = asyncio.create_task(self._decode(), name="stream-decode")

    @property
    def tracks(self) -> tuple[MediaStreamTrack, MediaStreamTrack]:
        """Video and audio, for the session."""
        return self._video, self._audio

    def media_time(self, seconds: float) -> float:
        """Media time of what has this pts: the clock of both tracks."""
        assert self._base_s is not None
        return self._stamps.media_time(self._base_s + seconds)

    def picture(self, ts: float, data: bytes | str, id: str | None = None) -> None:
        """Take a JPEG, PNG or WebP file, or base64 of it. Raises InvalidRequest when `ts` does not rise."""
        self._rise("frame", ts)
        ticket = Ticket(ts, id, partial(self._settle, ts))
        self._make_room()
        self._unanswered[ts] = ticket
        self._waiting.append(_Waiting(data, ticket))
        self._wake.set()

    def sound(self, ts: float, data: bytes | str, rate: int) -> None:
        """Take PCM, s16le mono, or base64 of it. Raises InvalidRequest or PayloadTooLarge."""
        samples = np.frombuffer(_whole(_bytes(data)), "<i2")
        length_s = len(samples) / rate
        if length_s > MAX_CHUNK_S:
            raise PayloadTooLarge(f"{length_s:.3f} s of sound in one message, at most {MAX_CHUNK_S:g} s are taken")
        if length_s < MIN_CHUNK_S:
            raise InvalidRequest(f"{length_s * 1000:g} ms of sound in one message, at least 20 ms are needed")
        self._rise("audio", ts)
        frame = AudioFrame.from_ndarray(samples[None, :].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts, frame.opaque = round(self._since_base(ts) * rate), ts
        self._audio.push(frame)

    async def finish(self) -> None:
        """Wait until every picture so far has had its outcome and all sound is listened to, `FINISH_S` at most."""
        self._audio.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                await self._audio.read_out()
                while self._unanswered:
                    self._answered.clear()
                    await self._answered.wait()

    async def close(self) -> None:
        """Take nothing more; what has had no outcome is lost."""
        self._decoder.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._decoder
        self._waiting.clear()
        for track in self.tracks:
            track.stop()
        for ts in tuple(self._unanswered):
            self._settle(ts, False)

    def _make_room(self) -> None:
        """Lose the oldest that nobody looks at yet, unless another may be left unanswered."""
        if len(self._unanswered) < IN_FLIGHT:
            return
        for ticket in self._unanswered.values():
            if ticket.withdraw():
                self._waiting = deque(each for each in self._waiting if each.ticket is not ticket)
                self._stats.drops["detector"] += 1
                ticket.settle(False)
                return

    def _rise(self, kind: str, ts: float) -> None:
        newest_s = self._newest_s.get(kind)
        if newest_s is not None and ts <= newest_s:
            raise InvalidRequest(f"ts of {kind} must rise: {ts!r} came after {newest_s!r}")
        self._newest_s[kind] = ts
        if self._base_s is None:
            self._base_s = ts
            self._stamps.begin(ts)

    def _since_base(self, ts: float) -> float:
        assert self._base_s is not None
        return ts - self._base_s

    async def _decode(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            waiting = self._waiting.popleft()
            ticket = waiting.ticket
            started_s = time.monotonic()
            try:
                frame = await loop.run_in_executor(self._threads, _open, waiting.data)
            except VedetteError as error:
                self._refuse(ticket, error)
            except Exception:  # whatever a picture does to the decoder, the next one is decoded
                logger.exception("a picture could not be decoded")
                self._refuse(ticket, VedetteError("the picture could not be decoded; the server's log says why"))
            else:
                self._stats.observe("decode", time.monotonic() - started_s)
                ticks = max(round(self._since_base(ticket.ts) * VIDEO_CLOCK_RATE), self._last_ticks + 1)
                self._last_ticks = ticks
                frame.pts, frame.time_base, frame.opaque = ticks, VIDEO_TIME_BASE, ticket
                self._video.push(frame)

    def _refuse(self, ticket: Ticket, error: VedetteError) -> None:
        if self._unanswered.pop(ticket.ts, None) is None:
            return
        self._answered.set()
        self._refused(error, ticket.ts, ticket.id)

    def _settle(self, ts: float, detected: bool) -> None:
        """The outcome of a picture; only the first one counts."""
        if self._unanswered.pop(ts, None) is None:
            return
        self._answered.set()
        if not detected:
            self._losses.add("frame", ts)

    def _video_lost(self, frame: VideoFrame | AudioFrame) -> None:
        assert isinstance(frame, VideoFrame)
        self._stats.drops["receiver"] += 1
        ticket = ticket_of(frame)
        if ticket is not None:
            ticket.settle(False)

    def _audio_lost(self, frame: VideoFrame | AudioFrame) -> None:
        self._stats.drops["audio"] += 1
        self._losses.add("audio", frame.opaque if isinstance(frame.opaque, float) else None)


def _open(data: bytes | str) -> VideoFrame:
    """Blocking."""
    return decode_image(_bytes(data))


def _bytes(data: bytes | str) -> bytes:
    """The bytes of base64, which may be a data: URL. Raises InvalidRequest."""
    if isinstance(data, bytes):
        return data
    if data.startswith("data:"):
        head, _, data = data.partition(",")
        if not head.endswith(";base64"):
            raise InvalidRequest(f"expected a data: URL with base64, got {head[:60]!r}")
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise InvalidRequest(f"data is not base64: {error}") from None


def _whole(data: bytes) -> bytes:
    if len(data) % 2:
        raise InvalidRequest(f"{len(data)} bytes are no whole number of samples of 16 bits")
    return data
