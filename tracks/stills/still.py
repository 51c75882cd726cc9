"""What a picture file says of itself, and the part of it that a decoder is given."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidRequest

MAX_PARTS = 20_000
"""Segments or chunks of a file: a PNG of 24 MB in the 4 KiB that some encoders write has 6,000."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture file that is complete as far as its parts tell."""

    format: str
    """JPEG, PNG or WebP."""
    width: int
    """Pixels, as stored."""
    height: int
    """Pixels, as stored."""
    orientation: int
    """EXIF's (JEITA CP-3451, tag 274): 1 is upright, 2 to 8 are the other ways to turn and mirror it."""
    picture: bytes
    """The file without anything that is not needed for its pixels: metadata, profiles, thumbnails, what comes after."""

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) as it is to be looked at."""
        return (self.height, self.width) if self.orientation > 4 else (self.width, self.height)


def cut_off(format: str) -> InvalidRequest:
    """The refusal of a file that ends before its end."""
    return InvalidRequest(f"the {format} is cut off")


def damaged(format: str) -> InvalidRequest:
    """The refusal of a file that is not as its format says."""
    return InvalidRequest(f"the {format} is damaged")
