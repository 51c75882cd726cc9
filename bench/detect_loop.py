"""The bare detector: the same model on the same frames, letterboxing included, with nothing else to do.

Run as `python -m bench.detect_loop JSON` (`bench.detector` does): loads the model, says `ready`, then detects without
pause. `begin` on stdin starts a count, `end` ends it and prints the rate. With `truth` in the options it writes what it
finds on every frame instead, and says `found`.
"""

from __future__ import annotations

import itertools
import json
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from av import VideoFrame

from tracks.detect import Detector
from tracks.detect.load import load_detector
from tracks.frames import letterbox
from tracks.images import decode_image
from tracks.registry import Registry
from tracks.types import Detections

from .accuracy import Truth
from .content import Content, load
from .detector import DetectorOptions
from .held import held_frames, held_jpegs


def look(detector: Detector, frame: VideoFrame) -> Detections:
    """What the detector finds on a frame, in pixels of the frame. Blocking."""
    image, box = letterbox(frame, detector.input_size(frame.width, frame.height))
    (found,) = detector.detect([image])
    return found.moved(box.to_source(found.xyxy))


def truth(detector: Detector, content: Content) -> Truth:
    """The detector's own result on every frame of the content."""
    found = [look(detector, content.frame(index, index)) for index in range(len(content.frames))]
    return Truth([f.xyxy for f in found], [f.confidence for f in found], [f.class_id for f in found])


def looks(detector: Detector, content: Content, *, jpeg: bool) -> Iterator[Detections]:
    """What the detector finds on one picture after the other, without end; `jpeg`: each is decoded first."""
    if jpeg:
        yield from (look(detector, decode_image(file)) for file in itertools.cycle(held_jpegs(content)))
    else:
        yield from (look(detector, frame) for frame in itertools.cycle(held_frames(content)))


def loop(found: Iterator[Detections]) -> None:
    """Detect until stdin ends, and print the rate of every count."""
    began_s, count = time.monotonic(), 0
    for _ in found:
        count += 1
        if select.select([sys.stdin], [], [], 0)[0]:
            said = sys.stdin.readline().strip()
            if said == "begin":
                began_s, count = time.monotonic(), 0
            elif said == "end":
                print(count / (time.monotonic() - began_s), flush=True)
            else:
                return


def main(options: DetectorOptions) -> None:
    """Load the model, then do what is asked."""
    detector = load_detector(
        options.weights,
        registry=Registry.load(),
        data_dir=Path(options.data_dir),
        report=lambda line: print(line, file=sys.stderr, flush=True),
        fallback=False,
    )
    content = load(Path(options.cache))
    if options.truth is not None:
        truth(detector, content).save(Path(options.truth))
        print("found", flush=True)
    else:
        look(detector, content.frame(0, 0))
        print("ready", flush=True)
        loop(looks(detector, content, jpeg=options.jpeg))


if __name__ == "__main__":
    main(DetectorOptions(**json.loads(sys.argv[1])))
