"""What a browser's fake camera shows: real people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
CLIP_FRAMES = 180
FIRST_WITH_PEOPLE = 85


def people() -> Iterator[av.VideoFrame]:
    """Six seconds of people, 30 frames a second: real footage if there is, else photographs."""
    shared = Path(os.environ.get("TEST_SHARED_DIR") or REPOSITORY.parent / "shared") / "media/people-one-by-one.mp4"
    return _footage(shared) if shared.is_file() else _photographs()


def write_people(path: Path) -> None:
    """Motion JPEG of people, 1280x720, for Chromium's fake camera."""
    with path.open("wb") as file:
        for frame in people():
            picture = frame.reformat(1280, 720, "bgr24").to_ndarray()
            file.write(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())


def _footage(path: Path) -> Iterator[av.VideoFrame]:
    """People walking, at about real speed: the clip has 10 frames a second, the camera 30."""
    with av.open(str(path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n >= FIRST_WITH_PEOPLE + CLIP_FRAMES // 3:
                return
            if n >= FIRST_WITH_PEOPLE:
                yield from (frame, frame, frame)


def _photographs() -> Iterator[av.VideoFrame]:
    """A window that moves over a photograph of people that ships with ultralytics."""
    from ultralytics.utils import ASSETS

    image = cv2.imread(str(ASSETS / "bus.jpg"))
    image = cv2.resize(image, (1280, 1280 * image.shape[0] // image.shape[1]))
    room = image.shape[0] - 720
    for n in range(CLIP_FRAMES):
        top = room // 2 + int(room // 4 * np.sin(2 * np.pi * n / CLIP_FRAMES))
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(image[top : top + 720]), format="bgr24")
