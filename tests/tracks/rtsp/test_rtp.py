"""RTP packets in order, and when they were."""

from __future__ import annotations

import struct

import pytest

from tracks.rtsp import rtp
from tracks.rtsp.rtp import LiveTime, Order, Packet, Report


def packet(sequence: int) -> Packet:
    return Packet(96, False, sequence, 0, b"")


def through(order: Order, *sequences: int) -> list[tuple[int, bool]]:
    return [(each.sequence, gap) for number in sequences for each, gap in order.put(packet(number))]


def test_a_packet_is_taken_apart() -> None:
    """Contributors, extension and padding are not payload."""
    head = struct.pack(">BBHII", 0xB2, 0xE0, 7, 9, 1) + bytes(8) + struct.pack(">HH", 0xBEDE, 1) + bytes(4)
    assert rtp.parse(head + b"data\0\2") == Packet(96, True, 7, 9, b"data")


@pytest.mark.parametrize(
    "data", [b"", b"\x80", bytes(12), b"\xb0" + bytes(11), b"\xaf" + bytes(11), b"\xa0" + bytes(10) + b"\xff"]
)
def test_what_is_no_packet_is_none(data: bytes) -> None:
    """Too short, of another version, or with more padding than there is."""
    assert rtp.parse(data) is None


def test_packets_are_put_in_order() -> None:
    """Those that overtook wait; doubles are left out; numbers wrap."""
    assert through(Order(), 65534, 0, 65535, 0, 2, 1) == [
        (65534, False),
        (65535, False),
        (0, False),
        (1, False),
        (2, False),
    ]


def test_what_does_not_come_is_given_up() -> None:
    """After so many others; over TCP at once. It is said where it is missing, and counted."""
    order = Order(2)
    assert through(order, 1, 3, 4) == [(1, False)]
    assert through(order, 5) == [(3, True), (4, False), (5, False)]
    assert order.lost == 1
    assert through(order, 2) == []
    assert through(Order(0), 1, 3) == [(1, False), (3, True)]


def test_a_sender_that_begins_anew_is_followed() -> None:
    """Its numbers are far back: they are no packets that are late."""
    assert through(Order(), 40_000, 100, 101) == [(40_000, False), (100, True), (101, False)]


def test_reports_are_found() -> None:
    """In a compound packet; those without a wall clock, and nonsense, are none."""
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 1, rtp.NTP_EPOCH_S + 5, 1 << 31, 90, 0, 0)
    assert list(rtp.reports(rtp.receiver_report(7) + report)) == [Report(5.5, 90)]
    assert list(rtp.reports(report[:-1])) == []
    assert list(rtp.reports(struct.pack(">BBHIIIIII", 0x80, 200, 6, 1, 0, 0, 90, 0, 0))) == []
    assert list(rtp.reports(b"\x80\xc8\0\0" * 3)) == []
    assert len(rtp.receiver_report(7)) % 4 == 0


def test_time_is_that_of_what_was_least_late() -> None:
    """Jitter of the network does not move what was seen."""
    clock = LiveTime(90_000)
    clock.start(clock.ticks(0), 100.2)
    assert clock.late_s(clock.ticks(9_000), 100.1) == 0.0  # the first had been 0.2 s late
    assert clock.late_s(clock.ticks(18_000), 100.35) == pytest.approx(0.15)
    assert clock.place(clock.ticks(18_000)) == pytest.approx(100.2)


def test_timestamps_wrap() -> None:
    """After 13 hours of video."""
    clock = LiveTime(90_000)
    clock.start(clock.ticks(2**32 - 900), 10.0)
    assert clock.place(clock.ticks(900)) == pytest.approx(10.02)


def test_reports_join_sound_and_picture() -> None:
    """The second stream to report goes where the camera's wall clock says; one that is wrong by hours moves nothing."""
    video, audio = LiveTime(90_000), LiveTime(8_000)
    video.start(video.ticks(0), 100.0)
    audio.start(audio.ticks(0), 100.3)
    video.report(Report(50.0, 0), audio)
    audio.report(Report(50.1, 0), video)
    assert audio.place(0) == pytest.approx(100.1)
    late = LiveTime(8_000)
    late.start(late.ticks(0), 100.3)
    late.report(Report(9_000.0, 0), video)
    assert late.place(0) == pytest.approx(100.3)
