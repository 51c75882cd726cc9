"""Arrays and small values that the whole perception layer shares; shapes and units are written here once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(n, 4) float32: x1, y1, x2, y2 in pixels."""

Image = NDArray[np.uint8]
"""(height, width, 3) uint8, RGB, contiguous."""


Samples = NDArray[np.float32]
"""(n,) float32, mono, `SAMPLE_RATE` a second, -1 to 1."""

SAMPLE_RATE = 16_000
"""Of everything that listens, in Hz."""

Stereo = NDArray[np.int16]
"""(n, 2) int16, `PLAY_RATE` a second."""

PLAY_RATE = 48_000
"""Of sound to be played, in Hz."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector found in one picture: n boxes, row i of every array is box i."""

    xyxy: Boxes
    """(n, 4) float32, pixels of the picture that was given (after `Letterbox.to_source`: of the source frame)."""
    confidence: NDArray[np.float32]
    """(n,) float32, 0 to 1."""
    class_id: NDArray[np.int32]
    """(n,) int32, an index into the detector's labels."""
    track_id: NDArray[np.int32] | None = None
    """(n,) int32, or None before tracking."""

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """The rows that `keep` (a mask or indices) names, in its order."""
        return Detections(
            self.xyxy[keep],
            self.confidence[keep],
            self.class_id[keep],
            None if self.track_id is None else self.track_id[keep],
        )

    def moved(self, xyxy: Boxes) -> Detections:
        """The same detections with other boxes."""
        return replace(self, xyxy=xyxy)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech; times are seconds on the session clock, or of the file that it is from."""

    samples: Samples
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word; times as in its utterance."""

    text: str
    """Without blanks around it."""
    start_s: float
    end_s: float
    probability: float
    """0 to 1, as the engine gives it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a transcript as its engine cut it, with what the engine thinks of it; times as in its utterance.

    The measures are Whisper's (Radford et al. 2022); an engine that has none of them says 0.
    """

    text: str
    start_s: float
    end_s: float
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in an utterance, as far as it is known."""

    text: str
    words: tuple[Word, ...]
    language: str | None
    """ISO 639-1, None when the engine does not tell."""
    final: bool
    """False while more may come."""
    segments: tuple[Segment, ...] = ()
    """Of a final one; empty when nothing was said."""
