"""From a source frame to a detector's input, and from its boxes back to the source."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from av import VideoFrame

from .planes import Plane, planes
from .types import Boxes, Image

PADDING = 114
"""Grey level around the picture: what ultralytics' models were trained with."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where the source picture lies in the model's input: input = source * scale + offset, in pixels."""

    source_width: int
    source_height: int
    scale_x: float
    scale_y: float
    left: int
    top: int

    @classmethod
    def fit(cls, source: tuple[int, int], size: tuple[int, int]) -> Letterbox:
        """Fit a source (height, width) centred into an input (height, width), aspect kept to the even pixel.

        Raises ValueError when either is too small to hold one chroma sample.
        """
        height, width = source
        if min(height, width, *size) < 2:
            raise ValueError(f"cannot letterbox {width}x{height} into {size[1]}x{size[0]}: less than 2 pixels")
        scale = min(size[0] / height, size[1] / width)
        inner_height, inner_width = _even(height * scale, size[0]), _even(width * scale, size[1])
        return cls(
            width,
            height,
            inner_width / width,
            inner_height / height,
            (size[1] - inner_width) // 2,
            (size[0] - inner_height) // 2,
        )

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) of the picture inside the input, both even."""
        return round(self.source_height * self.scale_y), round(self.source_width * self.scale_x)

    def to_source(self, xyxy: Boxes) -> Boxes:
        """Boxes in pixels of the input as boxes in pixels of the source, clipped to the source."""
        offset = np.array((self.left, self.top, self.left, self.top), np.float32)
        scale = np.array((self.scale_x, self.scale_y, self.scale_x, self.scale_y), np.float32)
        limit = np.array((self.source_width, self.source_height) * 2, np.float32)
        clipped: Boxes = np.clip((xyxy - offset) / scale, 0, limit)
        return clipped


def letterbox(frame: VideoFrame, size: tuple[int, int]) -> tuple[Image, Letterbox]:
    """The model's input of `size` (height, width) for a frame, and the way back. Blocking, any thread.

    Each plane is scaled on its own, then one conversion makes RGB of the few pixels that are left: 0.25 ms for
    1280x720 to 640x384, where a conversion before the scaling takes 0.8 ms and swscale 1.9 ms.
    """
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    fit = Letterbox.fit((frame.height, frame.width), size)
    height, width = fit.inner
    packed = np.empty((height * 3 // 2, width), np.uint8)
    chroma = packed[height:].reshape(2, height // 2, width // 2)
    targets = (packed[:height], chroma[0], chroma[1])
    for plane, target in zip(planes(frame), targets, strict=True):
        cv2.resize(plane, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_LINEAR)
    if frame.format.name == "yuvj420p":
        # OpenCV's conversion knows limited range only. After the scaling: 0.05 ms, in the place of 0.45 ms before.
        _limit(packed[:height], 219)
        _limit(packed[height:], 224, 128)
    filled = (height, width) == size
    image: Image = np.empty((*size, 3), np.uint8) if filled else np.full((*size, 3), PADDING, np.uint8)
    inside = image[fit.top : fit.top + height, fit.left : fit.left + width]
    cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_I420, dst=inside)
    return image, fit


def _limit(samples: Plane, span: int, centre: int = 0) -> None:
    """Luma (16 to 235) or chroma (16 to 240, about 128) of limited range, from 0 to 255 (BT.601), in place."""
    scale = span / 255
    cv2.convertScaleAbs(samples, samples, scale, 16.0 if not centre else centre * (1 - scale))


def _even(value: float, limit: int) -> int:
    """The nearest even number of pixels from 2 to `limit`: a chroma sample covers two."""
    return max(2, min(2 * round(value / 2), limit - limit % 2))
