"""Hooks on `RTCRtpReceiver` (aiortc 1.16.0): from the RTP packet to the decoded frame, with every queue bounded."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket, RtpPacket
from av.frame import Frame

from ..jitter import AudioJitterBuffer, EncodedFrame, VideoJitterBuffer
from ..stats import Stats
from . import payloads

DECODER_FRAMES = {"video": 30, "audio": 50}
"""Encoded frames that may wait for the decoder: 1 s."""
TRACK_FRAMES = {"video": 4, "audio": 50}
"""Decoded frames that may wait for whoever reads the track: video 1.4 MB each at 720p, audio 1 s."""
NTP_TO_UNIX_S = 2208988800
"""Seconds from 1900 to 1970 (RFC 5905)."""


class RtpTimeline:
    """RTP timestamps to pts that begin at 0, without the wrap at 2^32.

    aiortc's own takes every step back for a wrap, so one frame out of order moves all that follow by 13 hours.
    """

    def __init__(self) -> None:
        self.origin: int | None = None
        self._last_pts = 0

    def map(self, timestamp: int) -> int:
        """The pts of an RTP timestamp."""
        if self.origin is None:
            self.origin = timestamp
        step = (timestamp - self.origin - self._last_pts + 0x80000000) & 0xFFFFFFFF
        self._last_pts += step - 0x80000000
        return self._last_pts


class _TrackQueue(asyncio.Queue[Frame | None]):
    """The queue of a remote track: when it is full, the oldest frame goes. None says that the track has ended."""

    def __init__(self, limit: int, stats: Stats) -> None:
        super().__init__()
        self._limit = limit
        self._stats = stats

    async def put(self, item: Frame | None) -> None:
        if item is not None and self.qsize() >= self._limit:
            self.get_nowait()
            self._stats.drops["receiver"] += 1
        self.put_nowait(item)


class Intake:
    """Stands in for aiortc's JitterBuffer: takes each packet and passes all ready frames to the decoder itself."""

    def __init__(self, receiver: RTCRtpReceiver, kind: str, stats: Stats) -> None:
        private: Any = receiver
        self._codecs: dict[int, RTCRtpCodecParameters] = private._RTCRtpReceiver__codecs
        self._decoder: queue.Queue[tuple[RTCRtpCodecParameters, JitterFrame] | None] = (
            private._RTCRtpReceiver__decoder_queue
        )
        self._decoder_error = private._RTCRtpReceiver__decoder_error
        self._limit = DECODER_FRAMES[kind]
        self._stats = stats
        self._codec: RTCRtpCodecParameters | None = None
        self._payload = payloads.OTHER
        self._video = VideoJitterBuffer(is_keyframe=lambda data: self._payload.is_keyframe(data))
        self._audio = AudioJitterBuffer() if kind == "audio" else None
        self._conceal = b""
        self._skipping = False
        self.on_b_frame: Callable[[], None] | None = None
        """Called with the first."""
        self.timeline = RtpTimeline()

    def decoder_depth(self) -> int:
        """Encoded frames that wait for the decoder."""
        return self._decoder.qsize()

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Whether to send a picture loss indication; never a frame, for those have been passed on."""
        codec = self._codecs[packet.payload_type]
        if codec is not self._codec:
            self._codec = codec
            self._payload = payloads.of(codec.name)
        # What aiortc made of the payload before it calls this.
        data: bytes = packet._data  # type: ignore[attr-defined]
        marker = bool(packet.marker)
        if self._audio is not None:
            before = self._audio.dropped
            for frame in self._audio.add(packet.sequence_number, packet.timestamp, marker, data):
                self._pass_audio(codec, frame)
            if self._audio.dropped > before:
                self._stats.drops["jitter"] += self._audio.dropped - before
            return False, None
        before = self._video.dropped
        starts = self._payload.starts_frame(packet.payload)
        for frame in self._video.add(packet.sequence_number, packet.timestamp, marker, data, starts=starts):
            self._pass_video(codec, frame)
        if self._video.dropped > before:
            self._stats.drops["jitter"] += self._video.dropped - before
        if self._decoder_error.is_set():
            # Left to aiortc, each frame that fails to decode would send a request of its own.
            self._decoder_error.clear()
            self._video.request_keyframe()
        return self._video.take_keyframe_request(), None

    def _pass_video(self, codec: RTCRtpCodecParameters, frame: EncodedFrame) -> None:
        pts = self.timeline.map(frame.timestamp)
        if self.on_b_frame is not None and self._payload.is_bidirectional(frame.data):
            self.on_b_frame()
            self.on_b_frame = None
        if self._decoder.qsize() >= self._limit:
            # Frames refer to the ones before them: dropping some of them would show blemishes until the next keyframe.
            self._stats.drops["decoder"] += self.clear()
            self._skipping = True
            self._video.request_keyframe()
        if self._skipping and not self._payload.is_keyframe(frame.data):
            self._stats.drops["decoder"] += 1
            return
        self._skipping = False
        self._decoder.put((codec, JitterFrame(frame.data, pts)))

    def _pass_audio(self, codec: RTCRtpCodecParameters, frame: EncodedFrame) -> None:
        pts = self.timeline.map(frame.timestamp)
        data = frame.data
        if data:
            self._conceal = self._payload.concealment(data)
        else:
            data = self._conceal
        if not data:
            return
        if self._decoder.qsize() >= self._limit:
            self._stats.drops["decoder"] += self.clear()
        self._decoder.put((codec, JitterFrame(data, pts)))

    def clear(self) -> int:
        """Drop what waits for the decoder, and return how many frames that were."""
        dropped = 0
        try:
            while True:
                if self._decoder.get_nowait() is None:
                    self._decoder.put(None)
                    break
                dropped += 1
        except queue.Empty:
            pass
        return dropped


def tune_receiver(receiver: RTCRtpReceiver, stats: Stats) -> Intake:
    """Put our jitter buffer into a receiver and bound its queues. Call after `setRemoteDescription`, before media
    flows.

    Frames that are lost are counted in `stats.drops`: `jitter` (a frame or audio packet that never became whole),
    `decoder` (the decoder is too slow; video then goes on at the next keyframe, which is asked for) and `receiver`
    (whoever reads the track is too slow; the newest are kept).

    Raises RuntimeError when the receiver already runs: its decoder thread holds the old queues.
    """
    private: Any = receiver
    buffer = private._RTCRtpReceiver__jitter_buffer
    if isinstance(buffer, Intake):
        return buffer
    if private._RTCRtpReceiver__started:
        raise RuntimeError("tune_receiver was called after the receiver had started")
    kind: str = private._RTCRtpReceiver__kind
    intake = Intake(receiver, kind, stats)
    stop_decoder = private._RTCRtpReceiver__stop_decoder

    def stop_decoder_at_once() -> None:
        # It joins the decoder's thread on the event loop, which would decode everything that still waits.
        intake.clear()
        stop_decoder()

    private._RTCRtpReceiver__jitter_buffer = intake
    private._RTCRtpReceiver__timestamp_mapper = intake.timeline
    private._RTCRtpReceiver__stop_decoder = stop_decoder_at_once
    if private._track is not None:
        private._track._queue = _TrackQueue(TRACK_FRAMES[kind], stats)
    return intake


def on_b_frame(receiver: RTCRtpReceiver, callback: Callable[[], None]) -> None:
    """Call `callback` once, with the first frame that cannot be shown before later ones have come.

    Such frames come late, and no browser plays them over WebRTC. For a receiver that was tuned, of video.
    """
    private: Any = receiver
    intake = private._RTCRtpReceiver__jitter_buffer
    assert isinstance(intake, Intake)
    intake.on_b_frame = callback


def source_rtp_time(receiver: RTCRtpReceiver, pts: int) -> int | None:
    """The publisher's own RTP timestamp of a frame with this pts; None before the first frame."""
    private: Any = receiver
    mapper = private._RTCRtpReceiver__timestamp_mapper
    origin: int | None = mapper.origin if isinstance(mapper, RtpTimeline) else mapper._origin
    return None if origin is None else (origin + pts) & 0xFFFFFFFF


def on_sender_report(receiver: RTCRtpReceiver, callback: Callable[[float, int], None]) -> None:
    """Call `callback(unix_s, rtp_timestamp)` for each RTCP sender report: both name one instant on the sender's
    clocks.

    `unix_s` is the report's NTP time in Unix seconds; many senders' wall clocks are off, so use differences only.
    """
    private: Any = receiver
    handle = private._handle_rtcp_packet

    async def handle_and_tell(packet: AnyRtcpPacket) -> None:
        await handle(packet)
        if isinstance(packet, RtcpSrPacket) and packet.ssrc not in private._RTCRtpReceiver__rtx_ssrc:
            info = packet.sender_info
            # Zero: the sender has no clock, or, as aiortc does, has sent nothing yet (RFC 3550, 6.4.1).
            if info.ntp_timestamp:
                callback(info.ntp_timestamp / 2**32 - NTP_TO_UNIX_S, info.rtp_timestamp)

    private._handle_rtcp_packet = handle_and_tell


async def send_pli(receiver: RTCRtpReceiver) -> None:
    """Ask the publisher for a keyframe (RFC 4585, 6.3.1). Nothing is sent before its first packet came."""
    private: Any = receiver
    for ssrc in tuple(private._RTCRtpReceiver__remote_streams):
        if ssrc not in private._RTCRtpReceiver__rtx_ssrc:
            await private._send_rtcp_pli(ssrc)
