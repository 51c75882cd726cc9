"""Where pictures and sound of a file belong, whatever its timestamps do."""

from __future__ import annotations

import pytest

from tracks.media.timeline import Timeline


def test_a_file_begins_where_its_first_stream_does() -> None:
    """Timestamps count from anywhere; media time counts from zero, and a stream may begin later."""
    timeline = Timeline(1000.0)
    assert timeline.place("video", 1000.0, 0.04) == 0.0
    assert timeline.place("audio", 1000.5, 0.02) == 0.5
    assert timeline.end_s == pytest.approx(0.52)


def test_a_gap_is_a_gap() -> None:
    """Timestamps that jump ahead are believed."""
    timeline = Timeline(0.0)
    timeline.place("video", 0.0, 0.04)
    assert timeline.place("video", 30.0, 0.04) == 30.0


def test_what_jumps_back_follows_on_what_was() -> None:
    """And goes on from there."""
    timeline = Timeline(0.0)
    for at in range(100):
        timeline.place("video", at / 10, 0.1)
    assert timeline.place("video", 2.0, 0.1) == pytest.approx(10.0)
    assert timeline.place("video", 2.1, 0.1) == pytest.approx(10.1)


def test_both_streams_jump_by_as_much() -> None:
    """Sound that ended before the picture, or after it, is still in its time after the jump."""
    for behind_s in (-0.4, 0.4):
        timeline = Timeline(0.0)
        timeline.place("video", 9.9, 0.1)
        timeline.place("audio", 9.9 - behind_s, 0.1)
        assert timeline.place("video", 0.0, 0.1) == pytest.approx(10.0)
        assert timeline.place("audio", 0.2, 0.1) == pytest.approx(10.2)


def test_they_may_jump_more_than_once() -> None:
    """Each jump is found again by the other stream."""
    timeline = Timeline(0.0)
    for loop in range(3):
        for kind in ("audio", "video") if loop % 2 else ("video", "audio"):
            assert timeline.place(kind, 5.0, 5.0) == pytest.approx(5.0 + 5.0 * loop)


def test_a_little_too_late_is_no_jump() -> None:
    """One picture in the wrong place moves nothing."""
    timeline = Timeline(0.0)
    timeline.place("video", 1.0, 0.04)
    assert timeline.place("video", 0.9, 0.04) == 0.9
    assert timeline.place("video", 1.04, 0.04) == 1.04
