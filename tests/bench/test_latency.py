"""Latency figures out of frame records."""

from __future__ import annotations

import pytest

from bench.latency import summarise


def frames(latency_s: list[float]) -> list[tuple[int, float, float]]:
    """Ten frames a second, sent so that each is received on the beat."""
    return [(n, n / 10 - late, n / 10) for n, late in enumerate(latency_s)]


def test_percentiles_and_rate_of_a_steady_run() -> None:
    """100 frames with latencies of 1 to 100 ms in a shuffled order."""
    latencies = [((n * 37) % 100 + 1) / 1000 for n in range(100)]
    found = summarise(frames(latencies), 0.0, 10.0)
    assert found.fps == pytest.approx(10.0)
    assert found.p50 == pytest.approx(50.5)
    assert found.p95 == pytest.approx(95.05)
    assert found.p99 == pytest.approx(99.01)
    assert found.flat


def test_growing_latency_is_not_flat() -> None:
    """20 ms more every second is a slope of 1,200 ms a minute."""
    found = summarise(frames([0.05 + n * 0.002 for n in range(100)]), 0.0, 10.0)
    assert not found.flat
    assert found.slope_per_min == pytest.approx(1200)
    assert found.last_third_p50 - found.first_third_p50 == pytest.approx(133, abs=2)


def test_a_frame_that_comes_back_twice_counts_once_and_as_its_first_return() -> None:
    """A server cannot raise its frame rate by repeating a picture."""
    once = frames([0.05] * 100)
    found = summarise(once + [(n, sent, received + 0.05) for n, sent, received in once], 0.0, 10.0)
    assert found.fps == pytest.approx(10.0)
    assert found.p50 == pytest.approx(50)


def test_a_run_that_dried_up_is_an_error() -> None:
    """No frame in the last third is a failure, not a good latency."""
    with pytest.raises(ValueError, match="50 frames came back, and none in the first or the last third"):
        summarise(frames([0.05] * 50), 0.0, 10.0)
