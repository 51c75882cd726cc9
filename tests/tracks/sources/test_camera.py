"""The path of the demo's camera."""

from __future__ import annotations

import numpy as np
import pytest

from tracks.sources.camera import CameraPath, Stop, View

STOPS = (Stop(1.0, View(100, 50, 1.0)), Stop(4.0, View(300, 80, 2.0)), Stop(6.0, View(700, 60, 1.0)))
LOOP = 240
PERIOD = 1000.0


def path(stops: tuple[Stop, ...] = STOPS) -> CameraPath:
    return CameraPath(stops, loop_s=8.0, period=PERIOD, rate_hz=30, window_s=1.0)


def test_the_loop_closes_one_period_further() -> None:
    """Frame n of the next loop sees what frame n sees, one period to the right."""
    camera = path()
    for number in (0, 17, LOOP - 1):
        again = camera(number + LOOP)
        assert again.x == pytest.approx(camera(number).x + PERIOD)
        assert again[1:] == camera(number)[1:]


def test_the_camera_never_jerks_not_even_across_the_seam() -> None:
    """Speed changes by little from frame to frame, in place and in scale."""
    camera = path()
    views = np.array([camera(number) for number in range(2 * LOOP)])
    speed = np.diff(views, axis=0)
    change = np.abs(np.diff(speed, axis=0))
    assert np.abs(speed[:, 0]).max() < 8.0
    assert change[:, 0].max() < 0.5
    assert change[:, 2].max() < 0.004


def test_the_camera_stays_between_its_stops() -> None:
    """It cuts corners and never overshoots, so nothing beyond what was planned is seen."""
    views = np.array([path()(number) for number in range(LOOP)])
    assert views[:, 1].min() >= 50
    assert views[:, 1].max() <= 80
    assert views[:, 2].min() >= 1.0
    assert views[:, 2].max() <= 2.0
    assert (np.diff(views[:, 0]) > 0).all()


@pytest.mark.parametrize("stops", [STOPS[::-1], (*STOPS, STOPS[-1]), (Stop(9.0, STOPS[0].view),)])
def test_stops_out_of_order_are_refused(stops: tuple[Stop, ...]) -> None:
    """A path that cannot be flown is an error."""
    with pytest.raises(ValueError, match="expected stops in the order of their times, within 0 to 8"):
        path(stops)
