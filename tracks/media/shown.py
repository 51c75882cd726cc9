"""What a process that decodes shows: pictures and sound, checked as they come, since a file may have taken it over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from av import VideoFrame

from ..types import Stereo
from . import wire
from .process import Child
from .ring import Ring


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture, in the memory that the decoder shares: either take it or drop it, soon."""

    at_s: float
    """Its time, as whoever shows it counts."""
    width: int
    height: int
    slot: int
    ring: Ring

    def take(self) -> VideoFrame:
        """The picture, yuv420p, its pts in 1/90000 s: for reading. Call once."""
        return self.ring.take(self.slot, self.width, self.height, self.at_s)

    def drop(self) -> None:
        """Do without it."""
        self.ring.drop(self.slot)


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A piece of sound."""

    start_s: float
    """Time of the first sample. A gap in what is recorded is a gap in these."""
    samples: Stereo


class Reading:
    """Takes messages apart. Pictures and sound come each in the order of time; anything else is nonsense."""

    def __init__(
        self, child: Child, ring: Ring | None, is_possible: Callable[[float], bool], longest: int, seen_s: float
    ) -> None:
        """`ring`: None where there are no pictures. `is_possible` tells of a time whether it can be, `longest` is how
        many samples one message may have, and pictures come after `seen_s`."""
        self._child = child
        self._ring = ring
        self._is_possible = is_possible
        self._longest = longest
        self._seen_s = seen_s
        self._heard_s = 0.0

    def shot(self, payload: bytes) -> Shot:
        """A picture where one can be: the caps hold even for a decoder that the file has taken over."""
        if self._ring is None or len(payload) != wire.PLACE.size:
            raise self._child.nonsense()
        slot, at_s, width, height = wire.PLACE.unpack(payload)
        if not self._seen_s < at_s or not self._is_possible(at_s):
            raise self._child.nonsense()
        try:
            self._ring.filled(slot, width, height)
        except ValueError:
            raise self._child.nonsense() from None
        self._seen_s = at_s
        return Shot(at_s, width, height, slot, self._ring)

    def played(self, payload: bytes) -> Played:
        """Sound that goes on where the last ended, or later."""
        samples, rest = divmod(len(payload) - wire.TIME.size, wire.SAMPLE_BYTES)
        if rest or not 0 < samples <= self._longest:
            raise self._child.nonsense()
        (start_s,) = wire.TIME.unpack_from(payload)
        if not self._heard_s - 1 / wire.PLAY_RATE <= start_s or not self._is_possible(start_s):
            raise self._child.nonsense()
        self._heard_s = start_s + samples / wire.PLAY_RATE
        return Played(start_s, np.frombuffer(payload, "<i2", offset=wire.TIME.size).reshape(-1, 2))
