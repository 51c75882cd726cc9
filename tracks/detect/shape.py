"""The input that a model takes for a source of a given size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputShape:
    """One fixed size, or rectangles whose longer side is `limit` and whose sides are multiples of `stride`."""

    limit: int
    """Pixels of the longer side."""
    stride: int = 32
    fixed: tuple[int, int] | None = None
    """(height, width) of a model whose shape was fixed when it was exported."""

    def of(self, width: int, height: int) -> tuple[int, int]:
        """(height, width) of the input for a source: the smallest rectangle that holds it at full scale."""
        if self.fixed is not None:
            return self.fixed
        longest = max(width, height, 1)
        return self._side(height, longest), self._side(width, longest)

    def _side(self, side: int, longest: int) -> int:
        # In whole numbers: 720 * 640 / 1280 in floats may end just above a multiple and cost a stride.
        return self.stride * max(1, -(-(side * self.limit) // (longest * self.stride)))
