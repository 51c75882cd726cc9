"""A wide picture that repeats itself to the right, seen through a moving camera."""

from __future__ import annotations

import cv2
import numpy as np
from av import VideoFrame

from ..planes import Plane, Planes, planes
from ..types import Image
from .camera import View


class Panorama:
    """Renders views of a picture as yuv420p frames. Immutable: any thread, any number of readers.

    Each plane is warped on its own; nothing is converted per frame. Positions are sub-pixel, so slow motion does not
    jitter, and the picture is softened by half a pixel once, so that detail does not shimmer where it is scaled down.
    """

    def __init__(self, picture: Image, size: tuple[int, int], narrowest: float) -> None:
        """`size` is (width, height) of the frames, `narrowest` the smallest scale that is asked for. Blocking.

        Raises ValueError when the picture's sides are odd: a chroma sample covers two pixels.
        """
        height, width = picture.shape[:2]
        if width % 2 or height % 2:
            raise ValueError(f"expected a picture with even sides, got {width}x{height}")
        self.period = width
        self.size = size
        # Wide enough that a view that begins anywhere in the picture lies in one piece.
        reach = 2 * int(np.ceil(size[0] / narrowest / 2)) + 4
        soft = cv2.GaussianBlur(picture, (0, 0), 0.5)
        packed: Plane = np.asarray(
            cv2.cvtColor(np.pad(soft, ((0, 0), (0, reach), (0, 0)), mode="wrap"), cv2.COLOR_RGB2YUV_I420), np.uint8
        )
        chroma = packed[height:].reshape(2, height // 2, (width + reach) // 2)
        self._planes = Planes(packed[:height], chroma[0], chroma[1])

    def render(self, view: View) -> VideoFrame:
        """A new frame of what the view shows, without a pts. Blocking, a few milliseconds."""
        frame = VideoFrame(*self.size, "yuv420p")
        step = 1 / view.scale
        left = (view.x - self.size[0] * step / 2) % self.period
        top = view.y - self.size[1] * step / 2
        for source, target, share in zip(self._planes, planes(frame), (1, 2, 2), strict=True):
            # Samples lie in the middle of their pixels, in either plane.
            middle = step / 2 - 0.5
            matrix = np.array(((step, 0, left / share + middle), (0, step, top / share + middle)))
            cv2.warpAffine(
                source,
                matrix,
                (target.shape[1], target.shape[0]),
                dst=target,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return frame
