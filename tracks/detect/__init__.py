"""What a detector is. Back ends live beside this file, one each, and are named in the model registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..types import Detections, Image


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """Which model runs, where, and why; shown by /health, the terminal and the console."""

    name: str
    runtime: str
    """cuda, mps, openvino, onnxruntime or torch."""
    device: str
    precision: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    reason: str
    """Why this model on this runtime, in words."""
    fallback: bool = False
    """True when a model that was asked for could not be had."""


class Detector(Protocol):
    """One loaded model. Confined to one thread: build it and call it through a `Worker`."""

    info: DetectorInfo
    max_batch: int
    """How many pictures of one size a call may take; 1 for models with a static batch."""

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """(height, width) in pixels of the input for a source of this size; cheap, any thread."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find objects in up to `max_batch` letterboxed pictures of one size. Blocking.

        Boxes are in pixels of the given picture; everything with a confidence of at least 0.1 is returned, after
        non-maximum suppression, most confident first.
        """

    def close(self) -> None:
        """Free the model."""
