"""Who sends a session its picture and its sound, with the clock that joins the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiortc import RTCRtpReceiver
from aiortc.mediastreams import VIDEO_CLOCK_RATE

from signaling.peer import Peer
from tracks import edges
from tracks.clock import PublisherClock, SessionClock, TrackClock, unwrap
from tracks.errors import UnsupportedMedia, VedetteError

CLOCK_RATES = {"video": VIDEO_CLOCK_RATE, "audio": 48_000}
"""RTP ticks a second by kind; browsers' sound is Opus (RFC 7587)."""


B_FRAMES = (
    "the publisher sends B frames, with which the picture comes late and out of order: turn them off (x264: bframes=0)"
)


class Publisher(Protocol):
    """The one client that a session takes its media from."""

    def gives_way(self) -> None:
        """Another has taken over: nothing more is taken from this one."""

    def source_rtp_time(self, source_ticks: int) -> int | None:
        """Its own RTP timestamp of a picture that came with this pts; None where there is none."""


class PeerPublisher:
    """One peer's tracks on the session clock."""

    def __init__(self, peer: Peer, session: SessionClock, failed: Callable[[VedetteError], None]) -> None:
        """`failed` is told what is wrong with what the peer sends."""
        self.peer = peer
        self._failed = failed
        self._clock = PublisherClock(session)
        self._video: RTCRtpReceiver | None = None

    def clock_of(self, receiver: RTCRtpReceiver) -> TrackClock:
        """The clock of one of its tracks, kept right by the sender's reports. Call once for each."""
        kind = receiver.track.kind
        if kind == "video":
            self._video = receiver
            edges.on_b_frame(receiver, lambda: self._failed(UnsupportedMedia(B_FRAMES)))
        clock = TrackClock(self._clock)

        def report(sender_s: float, rtp_timestamp: int) -> None:
            origin = edges.source_rtp_time(receiver, 0)
            if origin is not None:
                clock.sender_report(sender_s, unwrap(rtp_timestamp, origin, CLOCK_RATES[kind], clock.latest_s))

        edges.on_sender_report(receiver, report)
        return clock

    def gives_way(self) -> None:
        """Another has taken over: the peer is closed."""
        self.peer.close_soon("another publisher took over")

    def source_rtp_time(self, source_ticks: int) -> int | None:
        """Its own RTP timestamp of a picture that came with this pts; None before the first."""
        return None if self._video is None else edges.source_rtp_time(self._video, source_ticks)
