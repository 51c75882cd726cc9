"""Samples as the 16-bit numbers that engines and files take."""

from __future__ import annotations

import numpy as np

from ..types import Samples


def to_pcm(samples: Samples) -> bytes:
    """s16le of float samples; what is louder than full scale is cut off."""
    return np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
