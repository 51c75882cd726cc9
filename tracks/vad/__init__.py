"""What a voice activity detector is. Back ends live beside this file, one each."""

from __future__ import annotations

from typing import Protocol

from ..types import SAMPLE_RATE, Samples

WINDOW_SAMPLES = 512
"""What a detector looks at in one call."""
WINDOW_S = WINDOW_SAMPLES / SAMPLE_RATE
"""32 ms."""


class VadStream(Protocol):
    """One stream of sound, heard window by window, in order. Not for two threads at once."""

    def probability(self, samples: Samples) -> float:
        """How likely it is, 0 to 1, that somebody speaks in the next window: `WINDOW_SAMPLES` samples that follow on
        those of the call before. Raises ValueError for any other number of samples, and for any that are no sound.
        """


class Vad(Protocol):
    """A loaded model, shared by all streams and safe to use from any thread."""

    name: str
    """Model and version, for people."""

    def stream(self) -> VadStream:
        """A new stream that has heard nothing yet. Cheap."""
