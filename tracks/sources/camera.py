"""Where the demo's camera looks: a path that is smooth everywhere and closes without a seam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class View(NamedTuple):
    """What the camera sees: where its middle lies in a picture, and how much that is enlarged."""

    x: float
    """Pixels of the picture from its left edge."""
    y: float
    """Pixels of the picture from its top edge."""
    scale: float
    """Pixels of the frame for one of the picture."""


class Stop(NamedTuple):
    """A view that the camera passes (cutting the corner) at a time."""

    at_s: float
    view: View


class CameraPath:
    """Views at every frame of a loop: straight lines between stops, smoothed by a sliding window.

    The window (Hann, `window_s` wide) makes position and speed change smoothly everywhere, also across the loop's seam,
    and never overshoots, as a spline does. At the end of a loop the camera is `period` pixels right of its start, which
    looks the same in a picture that repeats itself. Zooming is even in the logarithm, which is how it is seen.
    """

    def __init__(self, stops: Sequence[Stop], *, loop_s: float, period: float, rate_hz: int, window_s: float) -> None:
        if [stop.at_s for stop in stops] != sorted({stop.at_s for stop in stops if 0 <= stop.at_s < loop_s}):
            raise ValueError(f"expected stops in the order of their times, within 0 to {loop_s} s")
        first = stops[0]
        closing = Stop(first.at_s + loop_s, first.view._replace(x=first.view.x + period))
        times = np.array([stop.at_s for stop in (*stops, closing)])
        values = np.array([(stop.view.x, stop.view.y, np.log(stop.view.scale)) for stop in (*stops, closing)])
        self._frames = round(loop_s * rate_hz)
        self._rate_hz = rate_hz
        half = round(window_s * rate_hz / 2)
        weights = np.hanning(2 * half + 1)
        numbers = np.arange(-half, self._frames + half)
        loops, at_s = np.divmod(numbers / rate_hz - first.at_s, loop_s)
        lines = [np.interp(at_s + first.at_s, times, column) for column in values.T]
        lines[0] += loops * period
        smooth = [np.convolve(line, weights / weights.sum(), mode="valid") for line in lines]
        self._table: NDArray[np.float64] = np.stack([smooth[0], smooth[1], np.exp(smooth[2])], axis=1)
        self._period = period

    def __call__(self, number: int) -> View:
        """The view of frame `number`, 0 and more; x grows by the period with every loop."""
        loop, index = divmod(number, self._frames)
        x, y, scale = self._table[index].tolist()
        return View(x + loop * self._period, y, scale)
