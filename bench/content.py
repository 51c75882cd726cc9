"""What the client films: real people walking, at 1280x720 and 30 frames per second, the same frames in every phase.

The clip's people walk in, stop for a long time and leave. A benchmark of moving content takes only the walking-in,
plays it forth and back (so that no cut makes a person jump), and turns the clip's 10 frames a second into 30 by
motion-compensated interpolation. Without the clip, the photographs that ultralytics ships are panned and zoomed over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av import VideoFrame
from av.filter import Graph
from numpy.typing import NDArray
from PIL import Image

from tracks.planes import planes

from . import strip

WIDTH, HEIGHT, FPS = 1280, 720, 30
PICTURE_HEIGHT = HEIGHT - strip.ROWS
"""The picture keeps clear of the strip, so that the strip never hides anybody."""

CLIP = "people-one-by-one.mp4"
CLIP_FPS = 10
WALKS = ((60, 86), (224, 250), (500, 526), (1231, 1257))
"""Frames of the clip in which a person walks in: from the empty room until they stand."""
PAN_FRAMES = 150
_RECIPE = "walks 1"


@dataclass(frozen=True, slots=True)
class Content:
    """A bounded set of decoded frames and the order in which they are played, over and over."""

    description: str
    digest: str
    frames: NDArray[np.uint8]
    """(n, 1080, 1280) uint8: yuv420p frames, Y over U over V, mapped from a file that all processes share."""
    order: NDArray[np.int32]
    """(m,) int32: the frame shown at number i is `frames[order[i % m]]`."""

    def index(self, number: int) -> int:
        """Which of `frames` is shown at this number."""
        return int(self.order[number % len(self.order)])

    def frame(self, index: int, number: int) -> VideoFrame:
        """A fresh yuv420p frame with `number` in its strip."""
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        pixels = self.frames[index].reshape(-1)
        start = 0
        for plane in planes(frame):
            np.copyto(plane, pixels[start : start + plane.size].reshape(plane.shape))
            start += plane.size
        strip.write(frame, number)
        return frame


def shared_dir() -> Path:
    """Where the shared media and models lie: TEST_SHARED_DIR, else `../shared` beside the project."""
    return Path(os.environ.get("TEST_SHARED_DIR") or Path(__file__).resolve().parents[2] / "shared")


def load(cache: Path) -> Content:
    """The content, rendered into `cache` at the first call (about half a minute) and mapped from there ever after."""
    clip = shared_dir() / "media" / CLIP
    if clip.exists():
        description = (
            f"{CLIP}: {len(WALKS)} people walking in, forth and back, interpolated from {CLIP_FPS} to {FPS} fps, "
            f"{WIDTH}x{HEIGHT}"
        )
        return _cached(cache, description, [clip], lambda: _walks(clip))
    photographs = _photographs()
    names = " and ".join(photograph.name for photograph in photographs)
    description = f"{names}: photographs panned and zoomed over, forth and back, at {FPS} fps, {WIDTH}x{HEIGHT}"
    return _cached(cache, description, photographs, lambda: (_pan(p) for p in photographs))


def _cached(
    cache: Path, description: str, sources: Sequence[Path], render: Callable[[], Iterator[list[VideoFrame]]]
) -> Content:
    digest = hashlib.sha256("\n".join((_RECIPE, description)).encode())
    for source in sources:
        digest.update(source.read_bytes())
    name = digest.hexdigest()[:16]
    pixels, index = cache / f"content-{name}.yuv", cache / f"content-{name}.json"
    if not index.exists():
        cache.mkdir(parents=True, exist_ok=True)
        index.write_text(json.dumps(_render(pixels, render())))
    order = np.array(json.loads(index.read_text()), np.int32)
    frames = np.memmap(pixels, np.uint8, "r").reshape(-1, HEIGHT * 3 // 2, WIDTH)
    return Content(description, name, frames, order)


def _render(pixels: Path, scenes: Iterator[list[VideoFrame]]) -> list[int]:
    """Write every frame of every scene, and return the playing order: each scene forth and back."""
    order: list[int] = []
    count = 0
    with pixels.open("wb") as file:
        for scene in scenes:
            for picture in scene:
                file.write(_padded(picture).tobytes())
            forth = list(range(count, count + len(scene)))
            order += forth + forth[::-1]
            count += len(scene)
    return order


def _padded(picture: VideoFrame) -> NDArray[np.uint8]:
    """A 1280x688 picture over an empty strip, as (1080, 1280) uint8."""
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for source, target in zip(planes(picture), planes(frame), strict=True):
        target[: source.shape[0]] = source
    strip.write(frame, 0)
    return np.concatenate([plane.reshape(-1) for plane in planes(frame)]).reshape(HEIGHT * 3 // 2, WIDTH)


def _walks(clip: Path) -> Iterator[list[VideoFrame]]:
    starts = dict(WALKS)
    taken: list[VideoFrame] = []
    last = -1
    with av.open(str(clip)) as container:
        for position, frame in enumerate(container.decode(video=0)):
            last = starts.get(position, last)
            if position <= last:
                taken.append(frame)
                if position == last:
                    yield _interpolated(taken)
                    taken = []


def _interpolated(frames: Sequence[VideoFrame]) -> list[VideoFrame]:
    """Frames at 10 per second as 1280x688 frames at 30 per second, by FFmpeg's motion-compensated interpolation."""
    tick = Fraction(1, CLIP_FPS)
    graph = Graph()
    first = frames[0]
    chain = [
        graph.add_buffer(width=first.width, height=first.height, format=first.format, time_base=tick),
        graph.add("minterpolate", f"fps={FPS}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1"),
        graph.add("scale", f"{WIDTH}:{PICTURE_HEIGHT}:flags=bicubic"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    made: list[VideoFrame] = []
    for position, frame in enumerate([*frames, None]):
        if frame is not None:
            frame.pts, frame.time_base = position, tick
        chain[0].push(frame)
        try:
            while True:
                made.append(cast(VideoFrame, chain[-1].pull()))
        except (av.error.BlockingIOError, av.error.EOFError):
            continue
    return made


def _photographs() -> list[Path]:
    from ultralytics.utils import ASSETS

    return [Path(ASSETS) / name for name in ("bus.jpg", "zidane.jpg")]


def _pan(photograph: Path) -> list[VideoFrame]:
    """A camera that sweeps across a photograph while it zooms in: 1280x688 frames."""
    with Image.open(photograph) as opened:
        picture = opened.convert("RGB")
    aspect = WIDTH / PICTURE_HEIGHT
    widest = min(picture.width, picture.height * aspect)
    made = []
    for position in np.linspace(0.0, 1.0, PAN_FRAMES):
        ease = (1 - np.cos(np.pi * position)) / 2
        width = widest * (0.95 - 0.25 * ease)
        height = width / aspect
        left, top = (picture.width - width) * ease, (picture.height - height) * 0.6
        window = picture.resize(
            (WIDTH, PICTURE_HEIGHT), Image.Resampling.BILINEAR, (left, top, left + width, top + height)
        )
        made.append(VideoFrame.from_ndarray(np.asarray(window), format="rgb24").reformat(format="yuv420p"))
    return made
