"""From how likely it is that somebody speaks, window by window, to utterances: no I/O, no clock.

Somebody begins to speak with the first window that reaches `threshold`, and is believed after `min_speech_s` of speech.
From then on everything down to `off_threshold` is speech: voices sink, and one threshold would cut at each dip. The end
is there after `min_silence_s` without. What was said is cut out with some sound before and after it, because a word's
first and last consonants are quiet; who speaks longer than `max_s` is cut at the quietest point of the second half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .types import SAMPLE_RATE, Samples, Utterance
from .vad import WINDOW_S

QUIET_WINDOWS = 3
"""A cut is where this many windows (0.1 s) are quietest together: one quiet window alone is in every plosive."""


@dataclass(frozen=True, slots=True)
class SegmenterOptions:
    """Where utterances begin and end. Raises ValueError for values that contradict each other."""

    threshold: float = 0.5
    """A window with at least this probability begins an utterance."""
    off_threshold: float = 0.35
    """A window below it is silence, once somebody speaks."""
    pre_roll_s: float = 0.5
    """Sound before the onset that belongs to the utterance: with less a recogniser knows too little of the noise."""
    post_roll_s: float = 0.5
    """Sound after the last speech that belongs to it."""
    min_speech_s: float = 0.25
    """Less speech than that is a noise."""
    min_silence_s: float = 0.7
    """So long nobody speaks before an utterance is over."""
    max_s: float = 20.0
    """No utterance is longer."""

    def __post_init__(self) -> None:
        if not 0 < self.off_threshold <= self.threshold <= 1:
            raise ValueError(
                f"off_threshold {self.off_threshold} and threshold {self.threshold} must rise from above 0 to 1"
            )
        for name in ("pre_roll_s", "post_roll_s", "min_speech_s", "min_silence_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.min_silence_s < max(self.post_roll_s, WINDOW_S):
            raise ValueError(f"min_silence_s {self.min_silence_s} is less than post_roll_s {self.post_roll_s} or 0.032")
        least_s = 2 * (self.pre_roll_s + self.min_speech_s + self.min_silence_s + QUIET_WINDOWS * WINDOW_S)
        if not least_s <= self.max_s < math.inf:  # else a half might have no speech in it
            raise ValueError(f"max_s {self.max_s} must be at least {least_s:g} with these options")


class Started(NamedTuple):
    """Somebody speaks."""

    at_s: float
    """Onset, seconds on the clock of the windows; never before the end of the utterance before."""


class Ended(NamedTuple):
    """An utterance is whole."""

    utterance: Utterance
    split: bool
    """It was cut at `max_s`, and the next one follows without a gap."""


class Stopped(NamedTuple):
    """Nobody speaks any more; the last utterance, if any was left, has ended right before."""

    at_s: float
    """End of the last speech."""


Change = Started | Ended | Stopped


class _Held(NamedTuple):
    samples: Samples
    start_s: float
    energy: float


class Segmenter:
    """Cuts one stream into utterances. `push` it every window, `flush` it where the stream ends or has a gap.

    Utterances never overlap, and each is a run of windows as they came, none left out and none twice. Where the clock
    was set while somebody spoke, the whole utterance is placed by its end, when more was known.
    """

    def __init__(self, options: SegmenterOptions) -> None:
        self._options = options
        self._pre_roll = _windows(options.pre_roll_s)
        self._post_roll = _windows(options.post_roll_s)
        self._min_speech = max(1, _windows(options.min_speech_s))
        self._min_silence = _windows(options.min_silence_s)
        self._give_up = min(self._min_silence, self._min_speech)
        self._max = int(options.max_s / WINDOW_S)
        self._held: list[_Held] = []
        self._onset: int | None = None
        """Index of the first window that may be speech; None in silence."""
        self._voiced = 0
        """Windows of speech since then."""
        self._voiced_until = 0
        """Index after the last of them."""
        self._voice_end_s = 0.0
        self._told_s = -math.inf
        """No utterance begins before."""
        self.speaking = False

    @property
    def silence_s(self) -> float:
        """How long nobody has spoken in the utterance that goes on; 0 when there is none."""
        return (len(self._held) - self._voiced_until) * WINDOW_S if self.speaking else 0.0

    def push(self, samples: Samples, probability: float, start_s: float) -> list[Change]:
        """Hear the next window, `WINDOW_SAMPLES` samples that start at `start_s`; returns what that changes."""
        options = self._options
        self._held.append(_Held(samples, start_s, float(np.dot(samples, samples))))
        if probability >= (options.threshold if self._onset is None else options.off_threshold):
            if self._onset is None:
                self._onset = len(self._held) - 1
            self._voiced += 1
            self._voiced_until = len(self._held)
            self._voice_end_s = start_s + WINDOW_S
        if self._onset is None:
            self._forget()
            return []
        changes: list[Change] = []
        silence = len(self._held) - self._voiced_until
        if not self.speaking and self._voiced >= self._min_speech:
            self.speaking = True
            changes.append(Started(self._time(self._onset)))
        elif not self.speaking and silence >= self._give_up:
            self._quiet(0)
        elif self.speaking and silence >= self._min_silence:
            return self._end()
        if self.speaking and len(self._held) >= self._max:
            changes.append(self._split())
        return changes

    def current(self) -> Utterance | None:
        """What was said so far in the utterance that goes on, without the silence beyond `post_roll_s`."""
        if not self.speaking or not self._voiced_until:
            return None
        return self._utterance(self._spoken())

    def flush(self) -> list[Change]:
        """End what goes on; what comes next does not follow on what was."""
        changes = self._end() if self.speaking else []
        self._quiet(len(self._held))
        return changes

    def _end(self) -> list[Change]:
        changes: list[Change] = []
        cut = 0
        if self._voiced_until:
            cut = self._spoken()
            changes.append(Ended(self._cut(cut), split=False))
        changes.append(Stopped(self._voice_end_s))
        self._quiet(cut)
        return changes

    def _split(self) -> Ended:
        """Cut in the second half, where `QUIET_WINDOWS` together are quietest."""
        energies = np.array([held.energy for held in self._held[len(self._held) // 2 :]])
        together = np.convolve(energies, np.ones(QUIET_WINDOWS), "valid")
        cut = len(self._held) // 2 + int(together.argmin()) + QUIET_WINDOWS // 2 + 1
        utterance = self._cut(cut)
        del self._held[:cut]
        self._onset = 0
        self._voiced_until = max(0, self._voiced_until - cut)
        return Ended(utterance, split=True)

    def _spoken(self) -> int:
        """How many of the held windows belong to the utterance, if it is over."""
        return min(len(self._held), self._voiced_until + self._post_roll)

    def _cut(self, count: int) -> Utterance:
        utterance = self._utterance(count)
        self._told_s = utterance.end_s
        return utterance

    def _utterance(self, count: int) -> Utterance:
        """The first `count` held windows."""
        end_s = self._held[count - 1].start_s + WINDOW_S
        samples = np.concatenate([held.samples for held in self._held[:count]])
        start_s = max(self._told_s, end_s - len(samples) / SAMPLE_RATE)
        return Utterance(samples, start_s, max(start_s, end_s))

    def _time(self, index: int) -> float:
        """When a held window started, as far as the newest one tells."""
        newest = len(self._held) - 1
        return max(self._told_s, self._held[newest].start_s - (newest - index) * WINDOW_S)

    def _quiet(self, told: int) -> None:
        """Back to silence; the first `told` windows are dealt with."""
        del self._held[:told]
        self._onset, self._voiced, self._voiced_until, self.speaking = None, 0, 0, False
        self._forget()

    def _forget(self) -> None:
        """Of silence, only as much is kept as belongs before an onset."""
        del self._held[: max(0, len(self._held) - self._pre_roll)]


def _windows(seconds: float) -> int:
    """How many windows last at least so long."""
    return math.ceil(round(seconds / WINDOW_S, 6))
