"""This server with one thing added: the number and the boxes of every frame that it draws on go to a file.

Run as `python -m bench.watched_server FILE`, with the server's own settings in the environment. The number is read from
the picture before anything is drawn, so that boxes and frame belong together without trust in any clock.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from av import VideoFrame

from server.__main__ import main
from tracks import draw, vision
from tracks.types import Detections

from . import strip


def watch(file: TextIO) -> None:
    """Note every frame that `vision` annotates from now on."""
    annotate: Callable[[VideoFrame, Detections, Sequence[str]], VideoFrame] = draw.annotate

    def noted(frame: VideoFrame, detections: Detections, labels: Sequence[str]) -> VideoFrame:
        number = strip.read(frame)
        if number is not None:
            file.write(json.dumps((number, detections.xyxy.round(1).tolist(), detections.class_id.tolist())) + "\n")
        return annotate(frame, detections, labels)

    vision.annotate = noted  # type: ignore[attr-defined]


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as notes:
        watch(notes)
        status = main()
    sys.exit(status)
