"""What a server must hold no more of after many connects."""

from __future__ import annotations

import pytest

from bench.connects import Connects, Moment


def run(rss_mb: list[float], after: Moment) -> Connects:
    return Connects(200, Moment(24, 18, 30, 600.0), after, 60.0, rss_mb)


def test_a_steady_leak_is_seen_through_the_noise() -> None:
    """0.25 MB a connect among swings of 40 MB is 50 MB after 200 connects."""
    leaking = [600 + 0.5 * n + (n * 17) % 41 for n in range(100)]
    found = run(leaking, Moment(24, 18, 30, 650.0))
    assert found.growth_mb == pytest.approx(50, abs=10)
    assert not found.returned


def test_swings_alone_are_no_growth() -> None:
    """A last reading that happens to be high does not condemn the server."""
    swinging = [600.0 + (n * 17) % 41 for n in range(100)]
    assert run(swinging, Moment(24, 18, 30, 640.0)).returned


@pytest.mark.parametrize("after", [Moment(25, 18, 30, 600.0), Moment(24, 19, 30, 600.0), Moment(24, 18, 31, 600.0)])
def test_one_descriptor_thread_or_task_too_many_is_a_leak(after: Moment) -> None:
    """Counts must be back exactly."""
    assert not run([600.0] * 100, after).returned


def test_fewer_than_before_is_fine() -> None:
    """A pool that shrank meanwhile is no leak."""
    assert run([600.0] * 100, Moment(20, 17, 29, 590.0)).returned
