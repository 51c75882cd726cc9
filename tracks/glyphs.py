"""Text as coverage masks, rendered once for each text and size with the typeface that OpenCV 5 carries (Rubik)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""(rows, columns) uint8: how much of each pixel the text covers, 0 to 255."""

CACHED_MASKS = 512
"""Texts kept; at most about 10 KB each at 1080p."""
WEIGHT = 600
"""Semibold: thin strokes do not survive a video encoder at a megabit."""
CAPITAL_HEIGHT = 0.7
"""Of the font size; what is centred in the line, so that labels without descenders look centred, too."""


def line_height(size: int) -> int:
    """Rows of a line of this font size in pixels; even, as chroma needs."""
    return 2 * round(0.75 * size)


@lru_cache(maxsize=CACHED_MASKS)
def text_mask(text: str, size: int) -> Mask:
    """One line of text of this font size in pixels: (`line_height(size)`, width) coverage. Do not write to it.

    Characters that the typeface does not have are drawn as its replacement sign.
    """
    rows = line_height(size)
    baseline = round((rows + CAPITAL_HEIGHT * size) / 2)
    # Wide enough that nothing wraps: no character of the typeface is wider than two ems.
    canvas = np.zeros((rows, (2 * len(text) + 2) * size), np.uint8)
    # A face costs a microsecond to make and is not safe to share between threads.
    (end, _), _ = cv2.putText(canvas, text, (0, baseline), (255,), cv2.FontFace("sans"), size, WEIGHT)
    mask = canvas[:, :end].copy()
    mask.flags.writeable = False
    return mask
