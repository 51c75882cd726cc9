"""Pictures of people close up, cut from pictures where they stand farther away, and windows where nobody is.

A camera on a desk sees a head, shoulders and an edge that cuts the rest off; pictures of streets and building sites
have none of it. Whatever is cut keeps the labels that were there, clipped to the window.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""
Cut = tuple[Box, float]
"""A window, and how much broader than cut it becomes."""

_ASPECTS = (16 / 9, 16 / 9, 4 / 3, 4 / 3, 1.0, 0.75)
"""Width over height of the windows: mostly a webcam's."""
_LEAST_HEIGHT = 130
"""Pixels of a person's box, below which a window would hold more blur than person."""
_LEAST_WINDOW = 90
"""Pixels of a window's shorter side."""
_LONGER_SIDE = 384
"""Pixels that a window is enlarged to: a bit above the training size, and as far as smooth enlargement helps."""
_BREADTHS = (1.0, 1.0, 0.85, 1.15, 1.3, 1.5)
"""How much broader than cut a window becomes: close to a camera people are as broad as high, standing ones never."""


def make_closeups(pictures: Sequence[Path], out: Path, *, per_person: int, empty: int, seed: int) -> list[Path]:
    """Write OUT/images/*.jpg and OUT/labels/*.txt from labelled pictures, and return the former; the same for a seed.

    `per_person` windows are cut around everybody who is large enough, fewer where the picture leaves no room, and
    `empty` ones in all without anybody. A picture's labels lie where ultralytics looks: images becomes labels.
    """
    chance = random.Random(seed)
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    blank = set(chance.sample(pictures, min(empty, len(pictures))))
    for path in pictures:
        image = cv2.imread(str(path))
        if image is None:
            continue
        people = _people(labels_of(path), image.shape[1], image.shape[0])
        windows = list(_around(people, image.shape[1], image.shape[0], per_person, chance))
        if path in blank:
            windows += _beside(people, image.shape[1], image.shape[0], chance)
        for number, (window, breadth) in enumerate(windows):
            labels = clipped(people, window)
            if labels is not None:
                name = f"{path.stem}-{number}"
                (out / "labels" / f"{name}.txt").write_text(_rows(labels, window))
                written.append(out / "images" / f"{name}.jpg")
                picture = _developed(image, window, breadth, chance)
                cv2.imwrite(str(written[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return written


def one_person_each(pictures: Sequence[Path], out: Path) -> list[Path]:
    """Copy pictures to OUT/images with the largest box of each alone, and return the copies.

    For clips that are known to show one person: where a frame has a second box, it is around a chair.
    """
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for path in pictures:
        rows = labels_of(path).read_text().splitlines() if labels_of(path).is_file() else []
        largest = sorted(rows, key=lambda row: -float(row.split()[3]) * float(row.split()[4]))[:1]
        (out / "labels" / f"{path.stem}.txt").write_text("".join(f"{row}\n" for row in largest))
        shutil.copyfile(path, out / "images" / path.name)
    return [out / "images" / path.name for path in pictures]


def labels_of(picture: Path) -> Path:
    """The label file of a picture, where ultralytics looks for it: the last `images` on the way becomes `labels`."""
    before, _, after = str(picture).rpartition(f"{os.sep}images{os.sep}")
    return Path(before, "labels", after).with_suffix(".txt")


def clipped(people: Sequence[Box], window: Box) -> list[Box] | None:
    """The boxes as far as they are seen in the window, in its pixels; None where too little of somebody is seen.

    Such a rest, an elbow say, should count neither as a person nor as none.
    """
    seen: list[Box] = []
    area = (window[2] - window[0]) * (window[3] - window[1])
    for box in people:
        x1, y1 = max(box[0], window[0]), max(box[1], window[1])
        x2, y2 = min(box[2], window[2]), min(box[3], window[3])
        if x2 <= x1 or y2 <= y1:
            continue
        part = (x2 - x1) * (y2 - y1)
        whole = (box[2] - box[0]) * (box[3] - box[1])
        # The head tells: of somebody who lost it more has to be left than of a head with shoulders.
        headless = y1 > box[1] + (box[3] - box[1]) / 6
        enough = part / whole >= (0.5 if headless else 0.15) and (x2 - x1) / (box[2] - box[0]) >= 0.35
        if enough:
            seen.append((x1 - window[0], y1 - window[1], x2 - window[0], y2 - window[1]))
        elif part / area > 0.01:
            return None
    return seen


def _people(path: Path, width: int, height: int) -> list[Box]:
    """Boxes of one label file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    rows = [[float(value) for value in line.split()[1:]] for line in lines]
    return [
        ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height) for x, y, w, h in rows
    ]


def _around(people: Sequence[Box], width: int, height: int, per_person: int, chance: random.Random) -> Iterator[Cut]:
    """Windows whose lower edge cuts through somebody, or through a pair of neighbours."""
    large = [box for box in people if box[3] - box[1] >= _LEAST_HEIGHT]
    for box in large:
        for _ in range(per_person):
            near = [other for other in large if other is not box and _side_by_side(box, other)]
            if near and chance.random() < 0.6:
                other = chance.choice(near)
                group = (min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3]))
            else:
                group = box
            breadth = chance.choice(_BREADTHS)
            window = _window(group, min(box[2] - box[0], group[2] - group[0]), width, height, breadth, chance)
            if window is not None:
                yield window, breadth


def _side_by_side(box: Box, other: Box) -> bool:
    """Whether two people are about as far away and close to each other."""
    size, size_other = box[3] - box[1], other[3] - other[1]
    apart = abs(box[0] + box[2] - other[0] - other[2]) / 2
    return 0.6 < size / size_other < 1.6 and 0.15 * size < apart < 0.9 * size and abs(box[1] - other[1]) < 0.4 * size


def _window(group: Box, shoulders: float, width: int, height: int, breadth: float, chance: random.Random) -> Box | None:
    """A window that shows the upper part of the group, or None when the picture has no room for it."""
    x1, y1, x2, y2 = group
    part = min(max(shoulders * chance.uniform(0.6, 1.8), 0.25 * (y2 - y1)), y2 - y1)
    aspect = chance.choice(_ASPECTS) / breadth
    high = part / chance.uniform(0.6, 1.1)
    if x2 - x1 > shoulders * 1.2:  # of a pair both have to be in it
        high = max(high, (x2 - x1) / aspect * chance.uniform(0.95, 1.2))
    high = min(high, height, width / aspect)
    wide = high * aspect
    if min(high, wide) < _LEAST_WINDOW:
        return None
    left = (x1 + x2) / 2 - wide * chance.uniform(0.3, 0.7)
    top = y1 + part - high
    left, top = min(max(left, 0), width - wide), min(max(top, 0), height - high)
    return left, top, left + wide, top + high


def _beside(people: Sequence[Box], width: int, height: int, chance: random.Random) -> list[Cut]:
    """One window of the picture without anybody, if twenty tries find one."""
    for _ in range(20):
        high = chance.uniform(0.3, 0.7) * height
        wide = min(high * chance.choice(_ASPECTS), width)
        left, top = chance.uniform(0, width - wide), chance.uniform(0, height - high)
        window = (left, top, left + wide, top + high)
        if not any(
            min(box[2], window[2]) > max(box[0], window[0]) and min(box[3], window[3]) > max(box[1], window[1])
            for box in people
        ):
            return [(window, 1.0)]
    return []


def _developed(image: MatLike, window: Box, breadth: float, chance: random.Random) -> NDArray[np.uint8]:
    """The window enlarged, then brighter or darker, harder or softer, sharpened or blurred, as cameras differ."""
    x1, y1, x2, y2 = (round(value) for value in window)
    crop: MatLike = image[y1:y2, x1:x2]
    scale = _LONGER_SIDE / max(crop.shape[0], crop.shape[1] * breadth)
    smooth = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    crop = cv2.resize(crop, None, fx=scale * breadth, fy=scale, interpolation=smooth)
    pixels: MatLike = crop.astype(np.float32)
    kind = chance.random()
    if kind < 0.6:  # enlargement took the edges that a close camera sees
        pixels += chance.uniform(0.3, 1.2) * (pixels - cv2.GaussianBlur(pixels, (0, 0), max(scale, 1.0)))
    elif kind > 0.9:
        pixels = cv2.GaussianBlur(pixels, (0, 0), chance.uniform(0.5, 1.5))
    pixels = (pixels - 128) * chance.uniform(0.85, 1.2) + 128 + chance.uniform(-18, 18)
    if chance.random() < 0.5:
        noise = np.random.default_rng(chance.getrandbits(32)).normal(0, chance.uniform(1, 8), pixels.shape)
        pixels += noise.astype(np.float32)
    developed: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return developed


def _rows(boxes: Sequence[Box], window: Box) -> str:
    """Boxes of a window in YOLO's format."""
    wide, high = window[2] - window[0], window[3] - window[1]
    return "".join(
        f"0 {(x1 + x2) / 2 / wide:.5f} {(y1 + y2) / 2 / high:.5f} {(x2 - x1) / wide:.5f} {(y2 - y1) / high:.5f}\n"
        for x1, y1, x2, y2 in boxes
    )
