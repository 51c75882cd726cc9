"""A frame as a JPEG file."""

from __future__ import annotations

import cv2
from av import VideoFrame
from av.video.reformatter import VideoReformatter

MEDIA_TYPE = "image/jpeg"
QUALITY = 90


def encode_jpeg(frame: VideoFrame, quality: int = QUALITY) -> bytes:
    """The frame as baseline JPEG without metadata; `quality` is libjpeg's, 1 to 100. Blocking, any thread.

    By way of BGR, where each side does its own range: a video's luma is 16 to 235, a JPEG's 0 to 255.
    """
    # A reformatter of its own: the one that a frame keeps is not to be used by two threads at once.
    picture = VideoReformatter().reformat(frame, format="bgr24").to_ndarray()
    done, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise ValueError(f"cannot encode a picture of {frame.width}x{frame.height}")
    return data.tobytes()
