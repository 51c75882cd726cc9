"""Which pictures of a film are looked at."""

from __future__ import annotations

import math


class Rate:
    """Of each stretch of 1 / `hz` seconds of the film the first picture; with 0, every picture."""

    def __init__(self, hz: float) -> None:
        self._hz = hz
        self._stretch = -1

    def wants(self, at_s: float) -> bool:
        """Whether the next picture, whose media time is `at_s`, is looked at."""
        if not self._hz:
            return True
        # A hair is added because n / rate * rate may fall short of n.
        stretch = math.floor(at_s * self._hz + 1e-6)
        if stretch <= self._stretch:
            return False
        self._stretch = stretch
        return True
