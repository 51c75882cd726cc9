"""The demo's picture: two photographs hung on a dark wall that goes round in a circle."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import SourceUnreachable
from ..types import Image

WIDTH, HEIGHT = 2600, 1240
"""Pixels of the wall."""
WALL = (17, 20, 26)
"""RGB of the wall. Dark: people at the edge of a photograph are found against it, and encoders have nothing to do."""


@dataclass(frozen=True, slots=True)
class Print:
    """A part of a photograph on the wall, pixel for pixel."""

    photograph: str
    crop: tuple[int, int, int, int]
    """x1, y1, x2, y2 in pixels of the photograph."""
    left: int
    top: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        x1, y1, x2, y2 = self.crop
        return x2 - x1, y2 - y1


# The street is cut where the bundled detector took the bus's white arrow and a bollard for one more person.
WALKING = Print("bus.jpg", (0, 0, 470, 1080), 440, 80)
PASSING = Print("bus.jpg", (470, 0, 810, 1080), 974, 80)
# On the whole photograph it finds three or four people in dark suits; with one man on each print, one on each.
POINTING = Print("zidane.jpg", (358, 0, 722, 720), 1740, 260)
LOOKING_ON = Print("zidane.jpg", (722, 0, 1126, 720), 2184, 260)
PRINTS = (WALKING, PASSING, POINTING, LOOKING_ON)


def photographs() -> Path:
    """The folder of photographs that the installed ultralytics package ships; found without importing it.

    Raises SourceUnreachable when the package is not there.
    """
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise SourceUnreachable("the demo shows photographs of the ultralytics package, which is not installed")
    return Path(spec.origin).parent / "assets"


def hang(folder: Path) -> Image:
    """The wall with its prints, (HEIGHT, WIDTH, 3). Blocking, about 0.2 s.

    Raises SourceUnreachable, naming the file, when a photograph is missing or not what it should be.
    """
    opened = {name: _open(folder / name) for name in {each.photograph for each in PRINTS}}
    cut = [opened[each.photograph][each.crop[1] : each.crop[3], each.crop[0] : each.crop[2]] for each in PRINTS]
    for each, image in zip(PRINTS, cut, strict=True):
        if image.shape[1::-1] != each.size:
            raise SourceUnreachable(f"photograph {folder / each.photograph} is not the one that the demo knows")
    wall = _lit(cut)
    for each, image in zip(PRINTS, cut, strict=True):
        width, height = each.size
        wall[each.top : each.top + height, each.left : each.left + width] = image
    return wall


def _open(path: Path) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise SourceUnreachable(f"the demo's photograph {path} cannot be read: {error}") from error
    if image is None:
        raise SourceUnreachable(f"the demo's photograph {path} is not a picture")
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _lit(cut: list[Image]) -> Image:
    """The empty wall, with a shadow under each print and a faint light of the print's own colours around it."""
    # A quarter of the size: all of it is blurred anyway.
    quarter = (WIDTH // 4, HEIGHT // 4)
    light = np.zeros((quarter[1], quarter[0], 3), np.float32)
    shadow = np.zeros((quarter[1], quarter[0]), np.float32)
    for each, image in zip(PRINTS, cut, strict=True):
        width, height = each.size[0] // 4, each.size[1] // 4
        left, top = each.left // 4, each.top // 4
        light[top : top + height, left : left + width] = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA
        )
        shadow[top : top + height, left : left + width] = 1
    shade = np.array(WALL, np.float32) + 0.16 * _blurred(light, 42)
    shade *= 1 - 0.6 * _blurred(shadow, 7)[..., None]
    full = cv2.resize(shade, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    # Noise of less than one step of grey, so that the soft light has no visible bands.
    full += np.random.default_rng(0).uniform(-0.5, 0.5, full.shape[:2]).astype(np.float32)[..., None]
    wall: Image = np.clip(np.rint(full), 0, 255).astype(np.uint8)
    return wall


def _blurred(wall: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blurred as the middle one of three walls side by side, so that the ends meet."""
    width = wall.shape[1]
    blurred = cv2.GaussianBlur(np.concatenate([wall] * 3, axis=1), (0, 0), sigma)
    return np.asarray(blurred[:, width : 2 * width], np.float32)
