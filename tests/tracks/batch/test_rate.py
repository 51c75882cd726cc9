"""Which pictures of a film are looked at."""

from __future__ import annotations

import pytest

from tracks.batch.rate import Rate


@pytest.mark.parametrize(
    ("fps", "hz", "wanted"),
    [(25, 0, 100), (25, 10, 40), (25, 25, 100), (25, 60, 100), (10, 3, 12), (30, 7, 28), (25, 0.5, 2)],
)
def test_as_many_as_rate_and_duration_make(fps: float, hz: float, wanted: int) -> None:
    """Of 4 s: one in each stretch, or all where the film has no more."""
    rate = Rate(hz)
    assert sum(rate.wants(number / fps) for number in range(4 * fps)) == wanted


def test_the_first_of_each_stretch() -> None:
    """Also where pictures come at no steady pace, and where some stretches have none."""
    rate = Rate(2)
    assert [at_s for at_s in (0.0, 0.1, 0.49, 0.5, 0.9, 2.2, 2.4, 2.6) if rate.wants(at_s)] == [0.0, 0.5, 2.2, 2.6]
