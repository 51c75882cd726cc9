"""ByteTrack's Kalman filter with a motion model that is driven by seconds, not by the number of updates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from ultralytics.trackers.utils.kalman_filter import KalmanFilterXYAH

Floats = NDArray[np.float64]

STEP_S = 1 / 30
"""The step that the noise weights of the original are meant for (ByteTrack, Zhang et al. 2022: video at 30 fps)."""

SMALLEST = 0.01
"""Aspect ratio and height in pixels stay above this, however long a shrinking track is not seen."""


class TimedKalman(KalmanFilterXYAH):
    """A constant-velocity filter over (x, y, aspect, height); velocities are per step of 1/30 s.

    Process noise is the original's, as white noise on position and on velocity integrated over the elapsed time:
    predicting over a and then over b is the same as predicting over a + b.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._steps = 1.0

    def elapse(self, seconds: float) -> None:
        """Set the time that the next predictions step over. Raises ValueError when it is negative."""
        if not seconds >= 0:
            raise ValueError(f"elapsed time must be 0 s or more, got {seconds}")
        self._steps = seconds / STEP_S
        self._motion_mat = np.eye(8) + self._steps * np.eye(8, k=4)

    def predict(self, mean: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        """Mean (8,) and covariance (8, 8) after the elapsed time."""
        means, covariances = self.multi_predict(mean[None], covariance[None])
        return means[0], covariances[0]

    def multi_predict(self, mean: Floats, covariance: Floats) -> tuple[Floats, Floats]:
        """Means (n, 8) and covariances (n, 8, 8) after the elapsed time."""
        moved: Floats = mean @ self._motion_mat.T
        np.maximum(moved[:, 2:4], SMALLEST, out=moved[:, 2:4])
        return moved, self._motion_mat @ covariance @ self._motion_mat.T + self._noise(mean[:, 3])

    def _noise(self, height: Floats) -> Floats:
        """(n, 8, 8) for heights (n,) in pixels."""
        steps = self._steps
        position = _variances(self._std_weight_position * height, 1e-2)
        velocity = _variances(self._std_weight_velocity * height, 1e-5)
        noise = np.zeros((len(height), 8, 8))
        at = np.arange(4)
        noise[:, at, at] = position * steps + velocity * steps**3 / 3
        noise[:, at, at + 4] = noise[:, at + 4, at] = velocity * steps**2 / 2
        noise[:, at + 4, at + 4] = velocity * steps
        return noise


def _variances(scale: Floats, aspect: float) -> Floats:
    """(n, 4) for x, y, aspect and height, from standard deviations (n,) in pixels and of the aspect ratio."""
    return np.square(np.stack([scale, scale, np.full_like(scale, aspect), scale], axis=1))
