"""Watches a camera: what it sends is decoded as it comes, and what is late gives way. Runs in the child only."""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.error import MemoryError as NoMemory
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from ..errors import SourceUnreachable, UnsupportedMedia
from ..rtsp import rtp, sdp
from ..rtsp.auth import Identity
from ..rtsp.dialogue import Arrived, Dialogue, Stream, chosen
from ..rtsp.line import Line
from ..rtsp.payloads import FORMATS, Unit
from ..rtsp.waits import Waits
from . import wire
from .contents import too_many_pixels
from .job import Job
from .sound import Form, Sound
from .upright import Upright

LATE_S = 1.0
"""Pictures that are later than this, with more waiting behind them, are not decoded up to the next keyframe."""
FIRST_SLOT_S = 2.0
TALLY_S = 1.0
DRIFT_S = 0.3
"""Sound that runs ahead of its timestamps by so much is left out for once: the camera's clock is faster than ours."""
LIVE_FORM = Form(wire.PLAY_RATE, "s16", "stereo", wire.PLAY_RATE // 50)
"""20 ms a message: nothing is held back."""
LEAST_S = 1e-4
"""Two pictures are at least so far apart: one tick of 90 kHz is less."""


def camera(job: Job) -> None:
    """Agree with the camera, tell what it sends with the first picture, then show and play it until it ends."""
    given = job.given
    line = Line(socket.socket(fileno=job.fd), [socket.socket(fileno=each) for each in job.datagrams])
    username = given["username"]
    identity = None if username is None else Identity(username, given["password"])
    waits = Waits(**given["waits"])
    dialogue = Dialogue(line, given["url"], identity, waits)
    offered = dialogue.describe()
    media = chosen(offered, "video")
    if media is None:
        raise _nothing_to_see(offered)
    udp = bool(job.datagrams)
    eye = Eye(dialogue.set_up(media, udp=udp), job)
    ear = _ear(dialogue, offered, job) if job.sound else None
    dialogue.play()
    Watch(eye, ear, job, waits).run(dialogue.packets())


class Watch:
    """The loop that everything goes through."""

    def __init__(
        self, eye: Eye, ear: Ear | None, job: Job, waits: Waits, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._eye = eye
        self._ear = ear
        self._waits = waits
        self._job = job
        self._now = now
        self._told: Mapping[str, int] = {}

    def run(self, packets: Iterable[Arrived]) -> None:
        """Until the camera is gone. Raises what becomes of it."""
        eye, ear = self._eye, self._ear
        started_s = told_s = self._now()
        for arrived in packets:
            now_s = self._now()
            if arrived.stream is eye.stream:
                eye.take(arrived, now_s, None if ear is None else ear.time)
                if eye.size is not None and not eye.announced:
                    self._announce(eye.size)
            elif ear is not None and eye.announced:
                ear.take(arrived, now_s, eye.time)
            if eye.announced and now_s - told_s > TALLY_S:
                told_s = now_s
                self._tell()
            if eye.shown_s is None and now_s - started_s > self._waits.first_s:
                raise _pictureless(self._waits.first_s)
            if eye.shown_s is not None and now_s - eye.shown_s > self._waits.nothing_s:
                raise _pictureless(self._waits.nothing_s)

    def _announce(self, size: tuple[int, int]) -> None:
        eye, ear = self._eye, self._ear
        video = {"codec": eye.name, "width": size[0], "height": size[1], "fps": eye.stream.media.fps}
        audio = None if ear is None else ear.info
        self._job.send(
            wire.pack_json(wire.INFO, {"format": "rtsp", "duration_s": None, "audio": audio, "video": video})
        )
        eye.announced = True
        eye.show_first()

    def _tell(self) -> None:
        parts = [each for each in (self._eye, self._ear) if each is not None]
        tally = {
            "lost": sum(each.order.lost for each in parts),
            "damaged": sum(each.damaged for each in parts),
            "late": self._eye.late,
        }
        if tally != self._told:
            self._told = tally
            self._job.send(wire.pack_json(wire.TALLY, tally))


class _Sense(ABC):
    """What picture and sound have in common: packets in, frames out."""

    def __init__(self, stream: Stream, options: Mapping[str, str]) -> None:
        """Raises ValueError for a format whose parameters are not known."""
        media = stream.media
        assert media.decoder is not None
        self.stream = stream
        self.name = media.decoder
        self.order = rtp.Order(0 if stream.socket is None else rtp.REORDER_PACKETS)
        self.time = rtp.LiveTime(media.clock_rate)
        self._depacketizer = FORMATS[media.decoder](media)
        self._context: CodecContext = CodecContext.create(media.decoder, "r")
        assert isinstance(self._context, AudioCodecContext | VideoCodecContext)
        self._context.thread_count = 1
        self._context.options = dict(options)
        if self._depacketizer.extradata:
            self._context.extradata = self._depacketizer.extradata
        self._time_base = Fraction(1, media.clock_rate)
        self._undecoded = 0

    @property
    def damaged(self) -> int:
        """Units that could not be put together or decoded."""
        return self._depacketizer.damaged + self._undecoded

    def take(self, arrived: Arrived, now_s: float, other: rtp.LiveTime | None) -> None:
        """A packet; `other` is the clock of the other stream."""
        if arrived.is_rtcp:
            for report in rtp.reports(arrived.data):
                self.time.report(report, other)
            return
        packet = rtp.parse(arrived.data)
        if packet is None or packet.payload_type != self.stream.media.payload_type:
            return
        for each, gap in self.order.put(packet):
            for unit in self._depacketizer.put(each, gap):
                self.see(unit, now_s)

    @abstractmethod
    def see(self, unit: Unit, now_s: float) -> None:
        """What can be decoded."""

    def decode(self, unit: Unit, ticks: int) -> Sequence[Any]:
        """Its frames, their pts being ticks. Raises NoMemory."""
        packet = Packet(unit.data)
        packet.pts = packet.dts = ticks
        packet.time_base = self._time_base
        try:
            frames: Sequence[Any] = self._context.decode(packet)  # type: ignore[attr-defined]
        except NoMemory:
            raise
        except (FFmpegError, ValueError):
            self._undecoded += 1
            return ()
        return frames


class Eye(_Sense):
    """The picture. The newest counts: what nobody has room or time for is left out, and counted."""

    def __init__(self, stream: Stream, job: Job, now: Callable[[], float] = time.monotonic) -> None:
        # FFmpeg forgets the size of what is over its own cap; with some room it can be named in the refusal.
        super().__init__(stream, {"max_pixels": str(4 * job.limits.max_pixels)})
        assert job.slots is not None
        self._job = job
        self._slots = job.slots
        self._upright = Upright()
        self._now = now
        self._waits_for_key = True
        self._waited = False
        self._started = False
        self._last_s = 0.0
        self._first: tuple[float, VideoFrame] | None = None
        self.late = 0
        """Pictures that were left out."""
        self.size: tuple[int, int] | None = None
        """Of the first picture; None before it."""
        self.announced = False
        """Whether the server knows what is coming."""
        self.shown_s: float | None = None
        """When a picture was last decoded."""

    def take(self, arrived: Arrived, now_s: float, other: rtp.LiveTime | None) -> None:
        """See `_Sense`."""
        self._waited |= arrived.waited
        super().take(arrived, now_s, other)

    def see(self, unit: Unit, now_s: float) -> None:
        """Decode it, unless it is too late for that."""
        ticks = self.time.ticks(unit.timestamp)
        waited, self._waited = self._waited, False
        if not self._started:
            self.time.start(ticks, now_s)
            self._started = True
        late_s = self.time.late_s(ticks, now_s)
        if late_s > LATE_S:
            if waited:  # nothing else is waiting: its timestamps are of another time, not we behind
                self.time.start(ticks, now_s)
            elif not unit.key:
                self._waits_for_key = True
        if self._waits_for_key and not unit.key:
            self.late += 1
            return
        self._waits_for_key = False
        for frame in self.decode(unit, ticks):
            self._show(frame)

    def show_first(self) -> None:
        """What was kept back until the server knew what is coming."""
        if self._first is not None:
            at_s, frame = self._first
            self._first = None
            if self._slots.ready(FIRST_SLOT_S):
                self._send(at_s, frame)

    def _show(self, frame: VideoFrame) -> None:
        if frame.width * frame.height > self._job.limits.max_pixels:
            raise too_many_pixels(frame.width, frame.height, self._job.limits)
        self.shown_s = self._now()
        at_s = self._last_s + LEAST_S if frame.pts is None else self.time.place(frame.pts)
        if frame.is_corrupt:
            self._undecoded += 1
            return
        if at_s < self._last_s + LEAST_S:
            if self._last_s - at_s < LATE_S:
                self.late += 1
                return
            at_s = self._last_s + LEAST_S
        self._last_s = at_s
        upright = self._upright(frame)
        if not self.announced:
            self.size, self._first = (upright.width & ~1, upright.height & ~1), (at_s, upright)
        elif self._slots.ready():
            self._send(at_s, upright)
        else:
            self.late += 1

    def _send(self, at_s: float, frame: VideoFrame) -> None:
        slot, width, height = self._slots.put(frame)
        self._job.send(wire.pack(wire.PICTURE, wire.PLACE.pack(slot, at_s, width, height)))


class Ear(_Sense):
    """The sound."""

    def __init__(self, stream: Stream, send: Callable[[bytes], None]) -> None:
        super().__init__(stream, {})
        context = self._context
        assert isinstance(context, AudioCodecContext)
        if not self._depacketizer.extradata:  # nothing else says it
            context.sample_rate = stream.media.clock_rate
            context.layout = "stereo" if stream.media.channels == 2 else "mono"
        self._send = send
        self._sound = Sound(LIVE_FORM, self._emit)
        self._started = False
        rate = context.sample_rate or stream.media.clock_rate
        self.info = {"codec": self.name, "rate": rate, "channels": max(1, min(stream.media.channels, 8))}

    def see(self, unit: Unit, now_s: float) -> None:
        """Decode it."""
        ticks = self.time.ticks(unit.timestamp)
        if not self._started:
            self.time.start(ticks, now_s)
            self._started = True
        if self.time.late_s(ticks, now_s) > 2 * LATE_S:
            self.time.start(ticks, now_s)
        for frame in self.decode(unit, ticks):
            assert isinstance(frame, AudioFrame)
            at_s = self.time.place(ticks)
            if self._sound.end_s < at_s + DRIFT_S:
                self._sound.put(frame, at_s)

    def _emit(self, start_s: float, samples: bytes) -> None:
        self._send(wire.pack(wire.PLAY, wire.TIME.pack(start_s) + samples))


def _ear(dialogue: Dialogue, offered: Sequence[sdp.Media], job: Job) -> Ear | None:
    """The sound, if there is any that can be taken: without it, the picture is watched all the same."""
    media = chosen(offered, "audio")
    if media is None:
        return None
    try:
        return Ear(dialogue.set_up(media, udp=bool(job.datagrams)), job.send)
    except (ValueError, FFmpegError):
        return None
    except SourceUnreachable as error:
        if error.details is None:  # it is not the stream that is refused, but the camera that is gone
            raise
        return None


def _pictureless(seconds: float) -> SourceUnreachable:
    return SourceUnreachable(f"no picture could be made for {seconds:g} s of what the camera sends")


def _nothing_to_see(offered: Sequence[sdp.Media]) -> UnsupportedMedia:
    found = [f"{each.kind} {each.encoding or each.payload_type}" for each in offered]
    details = {"found": found[:8]}
    if any(each.kind == "video" for each in offered):
        seen = ", ".join(each.encoding or str(each.payload_type) for each in offered if each.kind == "video")
        return UnsupportedMedia(f"its video is {seen}, taken are {sdp.TAKEN}", details)
    kinds = ", ".join(sorted({each.kind for each in offered})) or "nothing"
    return UnsupportedMedia(f"there is no video in it, only {kinds}", details)
