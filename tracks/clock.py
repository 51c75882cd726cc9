"""The session clock: one for audio and video, so that what was said can be joined with what was seen.

aiortc starts every track's pts at zero, so pts alone cannot join two tracks. Until a sender report (RFC 3550, section
6.4.1) has come, a track is placed by the arrival of its frames; from then on by the sender's own wall clock, which is
the same for all its tracks.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE
from av import VideoFrame

SAME_CLOCK_S = 10.0
"""A client that returns with a stamp that is further ahead than this, beyond the time that it was away, has another
clock."""


class SessionClock:
    """Media time: seconds since the session's first media, monotonic whoever publishes, and never behind real time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._origin_s: float | None = None
        self.wall_origin: float | None = None
        """Unix seconds of media time zero; None before the first media."""
        self.newest_s = 0.0
        """The latest media time that anything had."""

    def start(self, media_s: float = 0.0) -> None:
        """Let it be `media_s` now, unless media has come before."""
        if self._origin_s is None:
            self._origin_s = self._monotonic() - media_s
            self.wall_origin = self._wall() - media_s

    def now(self) -> float:
        """Media time of this moment; 0 before the first media."""
        return 0.0 if self._origin_s is None else self._monotonic() - self._origin_s

    def reached(self, media_s: float) -> None:
        """Something has this media time. Who sends faster than real time takes the clock along: what comes after, from
        whomever, is later."""
        assert self._origin_s is not None
        self.newest_s = max(self.newest_s, media_s)
        self._origin_s = min(self._origin_s, self._monotonic() - media_s)


class SourceClock:
    """Media time of a server-side source, whose tracks all count from the same moment: their pts."""

    def __init__(self, session: SessionClock) -> None:
        self._session = session
        self._offset_s: float | None = None

    def media_time(self, seconds: float) -> float:
        """Media time of a frame whose pts is `seconds`. In a session that has had other media, the first frame of any
        track is placed by its arrival, and the pts are moved."""
        if self._offset_s is None:
            first = self._session.wall_origin is None
            self._session.start(seconds)
            self._offset_s = 0.0 if first else self._session.now() - seconds
        media_s = max(0.0, self._offset_s + seconds)
        self._session.reached(media_s)
        return media_s


class StampClock:
    """Media time of clients that stamp what they send by a clock of their own, one for pictures and sound.

    Media time is the stamp less the session's first. A client that comes back goes on where its stamps are, whether it
    runs in real time or not. One whose stamps cannot be of the same clock is placed by its arrival, as is one that
    takes over from somebody whose media came with a clock of another kind.
    """

    def __init__(self, session: SessionClock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._monotonic = monotonic
        self._offset_s: float | None = None
        """Media time less stamp."""
        self._latest_at_s = 0.0

    def begin(self, stamp_s: float) -> None:
        """A connection begins to stamp: this is the first, and it has just arrived."""
        if self._offset_s is None:
            begun = self._session.wall_origin is not None
            self._session.start()
            self._offset_s = (self._session.now() if begun else 0.0) - stamp_s
            return
        ahead_s = stamp_s + self._offset_s - self._session.newest_s
        if not 0 < ahead_s <= self._monotonic() - self._latest_at_s + SAME_CLOCK_S:
            self._offset_s = self._session.now() - stamp_s

    def media_time(self, stamp_s: float) -> float:
        """Media time of what was stamped so; to be asked as it arrives, after `begin`."""
        assert self._offset_s is not None
        media_s = max(0.0, stamp_s + self._offset_s)
        self._latest_at_s = self._monotonic()
        self._session.reached(media_s)
        return media_s


class PublisherClock:
    """Maps the sender's wall clock (NTP) of one publisher to media time, for all of its tracks."""

    def __init__(self, session: SessionClock) -> None:
        self.session = session
        self.began_s = session.newest_s
        """Media time that another had reached before."""
        self.ntp_offset_s: float | None = None
        """Media time = sender's NTP seconds + this; set by the first report of any track."""


class TrackClock:
    """Media time of one track's frames.

    `delay_s` is the known time between capture and arrival here (jitter buffer, decoder), taken off arrival times.
    """

    def __init__(self, publisher: PublisherClock, delay_s: float = 0.0) -> None:
        self._publisher = publisher
        self._delay_s = delay_s
        self._anchor_s: float | None = None
        self.latest_s = 0.0
        """pts of the newest frame."""

    def media_time(self, seconds: float) -> float:
        """Media time of a frame whose pts is `seconds`, to be asked as the frame arrives."""
        self.latest_s = seconds
        if self._anchor_s is None:
            self._publisher.session.start()
            placed_s = self._publisher.session.now() - self._delay_s
            self._anchor_s = max(placed_s, self._publisher.began_s) - seconds
        media_s = max(self._publisher.began_s, self._anchor_s + seconds)
        self._publisher.session.reached(media_s)
        return media_s

    def sender_report(self, ntp_s: float, seconds: float) -> None:
        """The sender says that pts `seconds` was captured at `ntp_s` of its own wall clock.

        The first report of a publisher only fixes where its wall clock lies, so that times do not jump; a report of
        its second track moves that track to where the wall clock says it is.
        """
        if self._anchor_s is None:
            return
        if self._publisher.ntp_offset_s is None:
            self._publisher.ntp_offset_s = self._anchor_s + seconds - ntp_s
        self._anchor_s = ntp_s + self._publisher.ntp_offset_s - seconds


def unwrap(rtp_timestamp: int, origin: int, clock_rate: int, near_s: float) -> float:
    """pts in seconds of a 32-bit RTP timestamp, `origin` being that of pts 0: of its wraps, the nearest to `near_s`."""
    near = round(near_s * clock_rate)
    ahead = (rtp_timestamp - origin - near + 2**31) % 2**32 - 2**31
    return (near + ahead) / clock_rate


def ticks_of(frame: VideoFrame) -> int:
    """pts of a picture that has one, in 90 kHz ticks."""
    assert frame.pts is not None
    assert frame.time_base is not None
    if frame.time_base == VIDEO_TIME_BASE:
        return frame.pts
    return round(frame.pts * frame.time_base * VIDEO_CLOCK_RATE)
