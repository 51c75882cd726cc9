"""Who sends a session its picture and its sound, with the clock that joins the two."""

from __future__ import annotations

from typing import Protocol

from aiortc import RTCRtpReceiver
from aiortc.mediastreams import VIDEO_CLOCK_RATE

from signaling.peer import Peer
from tracks import edges
from tracks.clock import PublisherClock, SessionClock, TrackClock, unwrap

CLOCK_RATES = {"video": VIDEO_CLOCK_RATE, "audio": 48_000}
"""RTP ticks a second by kind; browsers' sound is Opus (RFC 7587)."""


class Publisher(Protocol):
    """The one client that a session takes its media from."""

    def gives_way(self) -> None:
        """Another has taken over: nothing more is taken from this one."""

    def source_rtp_time(self, source_ticks: int) -> int | None:
        """Its own RTP timestamp of a picture that came with this pts; None where there is none."""


class PeerPublisher:
    """One peer's tracks on the session clock."""

    def __init__(self, peer: Peer, session: SessionClock) -> None:
        self.peer = peer
        self._clock = PublisherClock(session)
        self._video: RTCRtpReceiver | None = None

    def clock_of(self, receiver: RTCRtpReceiver) -> TrackClock:
        """The clock of one of its tracks, kept right by the sender's reports. Call once for each."""
        kind = receiver.track.kind
        if kind == "video":
            self._video = receiver
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
