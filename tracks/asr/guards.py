"""Whisper writes text where nobody spoke, and text that goes round in circles: what must not be believed is dropped.

Thresholds of segments are those of Radford et al. (2022), "Robust Speech Recognition via Large-Scale Weak Supervision",
section 4.5, https://arxiv.org/abs/2212.04356, and of the `whisper` package.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import SAMPLE_RATE, Samples, Segment, Word
from .agreement import spoken

WINDOW_SAMPLES = 512
MARGIN_S = 0.1
"""Engines place words to about that."""
MAX_NGRAM = 8
"""Words of the longest phrase that is looked for as a loop."""


@dataclass(frozen=True, slots=True)
class Guards:
    """From where on text is not believed."""

    silence_dbfs: float = -65.0
    """Sound whose loudest window of 32 ms is below it is silence: 20 dB above the last bit of 16, and 20 dB below
    what a quiet voice leaves in the loudest windows of a microphone that is turned down."""
    no_speech_prob: float = 0.6
    avg_logprob: float = -1.0
    """A segment whose words are no likelier than that is dropped where `no_speech_prob` is passed too."""
    compression_ratio: float = 2.4
    """Text that packs better than that repeats itself."""
    loop_count: int = 4
    """So many times in a row a phrase may not be repeated ..."""
    loop_words: int = 8
    """... where this makes at least so many words: "no, no, no, no" is something that people say."""

    def silent(self, samples: Samples) -> bool:
        """Whether there is nothing to hear; true of no samples at all."""
        return _loudest_dbfs(samples) < self.silence_dbfs

    def believable(self, segment: Segment) -> bool:
        """Whether a segment's own measures speak for it."""
        if segment.no_speech_prob > self.no_speech_prob and segment.avg_logprob < self.avg_logprob:
            return False
        return segment.compression_ratio <= self.compression_ratio

    def audible(self, words: Sequence[Word], samples: Samples, start_s: float) -> tuple[Word, ...]:
        """The words that lie where something can be heard in `samples`, which begin at `start_s`."""

        def heard(word: Word) -> bool:
            first = max(0, round((word.start_s - start_s - MARGIN_S) * SAMPLE_RATE))
            last = round((word.end_s - start_s + MARGIN_S) * SAMPLE_RATE)
            return not self.silent(samples[first:last])

        return tuple(word for word in words if heard(word))

    def unlooped(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words with every loop said once: a decoder that is stuck repeats a phrase until its window is full."""
        kept = list(words)
        for size in range(1, MAX_NGRAM + 1):
            kept = self._without_loops(kept, size)
        return tuple(kept)

    def _without_loops(self, words: list[Word], size: int) -> list[Word]:
        said = [spoken(word) for word in words]
        kept: list[Word] = []
        at = 0
        while at < len(words):
            phrase = said[at : at + size]
            count = 1
            while len(phrase) == size and said[at + count * size : at + (count + 1) * size] == phrase:
                count += 1
            looped = count >= self.loop_count and count * size >= self.loop_words
            kept += words[at : at + size] if looped else words[at : at + 1]
            at += count * size if looped else 1
        return kept


def compression_ratio(text: str) -> float:
    """How much better than nothing zlib packs a text; 1 for an empty one. As the `whisper` package counts it."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 1.0


def _loudest_dbfs(samples: Samples) -> float:
    """RMS of the loudest whole window (of all there is, where that is less), in dB below full scale."""
    if not len(samples):
        return -math.inf
    whole = len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES
    windows = samples[:whole].reshape(-1, WINDOW_SAMPLES) if whole else samples[np.newaxis]
    power = float(np.max(np.mean(np.square(windows, dtype=np.float64), axis=1)))
    return 10 * math.log10(power) if power > 0 else -math.inf
