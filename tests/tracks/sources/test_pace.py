"""When the frames of a source are due."""

from __future__ import annotations

import pytest

from tests.tracks.sources.clocks import ManualClock
from tracks.sources.pace import Beat


async def test_frames_come_at_multiples_of_the_interval_and_do_not_drift() -> None:
    """After an hour of frames that each took a moment to make, the clock shows an hour."""
    clock = ManualClock()
    pace = clock.pace()
    beat = Beat(pace, 30)
    for number in range(30 * 3600 + 1):
        assert beat.next() == number
        clock.now_s += 0.002
        await beat.due()
    assert pace.elapsed_s() == pytest.approx(3600, abs=0.003)


async def test_a_late_reader_skips_what_is_past() -> None:
    """After a pause the next frame is the one of now, and the one after it is waited for."""
    clock = ManualClock()
    pace = clock.pace()
    beat = Beat(pace, 30)
    assert beat.next() == 0
    await beat.due()
    clock.now_s += 2.0
    assert beat.next() == 60
    await beat.due()
    assert clock.slept_s == []
    assert beat.next() == 61
    await beat.due()
    assert clock.slept_s == [pytest.approx(1 / 30)]


async def test_patience_hands_on_what_is_a_little_late() -> None:
    """Nothing is skipped within the patience; beyond it only as much as needed."""
    clock = ManualClock()
    beat = Beat(clock.pace(), 50, patience=10)
    assert beat.next() == 0
    clock.now_s += 0.2
    assert [beat.next() for _ in range(10)] == list(range(1, 11))
    clock.now_s += 2.0
    assert beat.next() == 100


async def test_tracks_of_one_source_share_one_start() -> None:
    """A track that is first read a second later begins a second later."""
    clock = ManualClock()
    pace = clock.pace()
    video, audio = Beat(pace, 30), Beat(pace, 50, patience=10)
    assert video.next() == 0
    clock.now_s += 1.0
    assert audio.next() == 40
    assert video.next() == 30
