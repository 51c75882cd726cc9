from __future__ import annotations

import pytest

from tracks.clock import PublisherClock, SessionClock, StampClock, TrackClock, unwrap


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def clocks() -> tuple[Time, PublisherClock]:
    time = Time()
    return time, PublisherClock(SessionClock(time, time))


def test_media_time_starts_at_zero_and_follows_pts() -> None:
    """The first frame is at zero whatever its pts; later ones follow pts, not the jitter of their arrival."""
    time, publisher = clocks()
    track = TrackClock(publisher)
    assert track.media_time(7.0) == 0.0
    time.s += 0.05
    assert track.media_time(7.033) == pytest.approx(0.033)


def test_a_second_track_is_placed_by_its_arrival_until_a_report_comes() -> None:
    """Two tracks with pts that both start at zero are joined by when their first frames came."""
    time, publisher = clocks()
    video, audio = TrackClock(publisher), TrackClock(publisher, delay_s=0.02)
    video.media_time(0.0)
    time.s += 0.5
    assert audio.media_time(0.0) == pytest.approx(0.48)


def test_sender_reports_align_the_tracks_of_one_publisher() -> None:
    """What the sender captured at one moment of its wall clock has one media time on both tracks."""
    time, publisher = clocks()
    video, audio = TrackClock(publisher), TrackClock(publisher)
    video.media_time(0.0)
    time.s += 0.3
    audio.media_time(0.0)
    video.sender_report(ntp_s=5000.0, seconds=1.0)
    assert video.media_time(1.0) == pytest.approx(1.0)
    audio.sender_report(ntp_s=5000.0, seconds=0.9)
    assert audio.media_time(0.9) == pytest.approx(video.media_time(1.0))


def test_a_second_publisher_goes_on_where_the_session_clock_is() -> None:
    """After a reconnect pts start anew and media time does not."""
    time, publisher = clocks()
    TrackClock(publisher).media_time(0.0)
    time.s += 12.0
    second = TrackClock(PublisherClock(publisher.session))
    assert second.media_time(0.0) == pytest.approx(12.0)


@pytest.mark.parametrize("seconds", [0.0, 1.5, 40_000.0, 100_000.0])
def test_rtp_timestamps_are_unwrapped(seconds: float) -> None:
    """A 32-bit timestamp of a 90 kHz clock wraps every 13 hours; the nearest time to the newest frame is meant."""
    origin = 4_000_000_000
    timestamp = (origin + round(seconds * 90_000)) % 2**32
    assert unwrap(timestamp, origin, 90_000, seconds + 3.0) == pytest.approx(seconds)


class Hands:
    """A monotonic clock and a wall clock that are set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_stamps_are_media_time_less_the_first_also_after_a_return() -> None:
    """The same clock goes on, whether in real time or not; another is placed by its arrival, and never goes back."""
    hands = Hands()
    session = SessionClock(hands, hands)
    stamps = StampClock(session, hands)
    stamps.begin(5000.0)
    assert [stamps.media_time(5000.0), stamps.media_time(5030.5)] == [0.0, 30.5]
    hands.now = 2.0
    stamps.begin(5031.0)
    assert stamps.media_time(5031.0) == 31.0
    stamps.begin(0.5)
    assert stamps.media_time(0.5) == 32.5
    stamps.begin(1e9)
    assert stamps.media_time(1e9) == 32.5


def test_media_time_goes_on_when_a_fast_client_hands_over() -> None:
    """Stamps that ran ahead of real time, then RTP, then stamps again: each goes on where the one before was, also with
    frames that were captured before they came, and a report that would put one of its tracks earlier."""
    hands = Hands()
    session = SessionClock(hands, hands)
    stamps = StampClock(session, hands)
    stamps.begin(100.0)
    assert stamps.media_time(160.0) == 60.0
    assert session.now() == 60.0
    hands.now = 1.0
    publisher = PublisherClock(session)
    video, audio = TrackClock(publisher, delay_s=0.1), TrackClock(publisher, delay_s=0.1)
    assert video.media_time(7.0) == pytest.approx(60.9)
    hands.now = 1.05
    assert audio.media_time(3.0) == pytest.approx(60.95)
    video.sender_report(ntp_s=500.0, seconds=7.0)
    audio.sender_report(ntp_s=498.0, seconds=3.0)
    assert audio.media_time(3.02) == 60.0
    assert video.media_time(7.5) == pytest.approx(61.4)
    stamps.begin(161.0)
    assert stamps.media_time(161.0) == pytest.approx(61.4)
    at_once = TrackClock(PublisherClock(session), delay_s=0.1)
    assert [at_once.media_time(0.0), at_once.media_time(0.1)] == pytest.approx([61.4, 61.5])
