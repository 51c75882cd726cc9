"""Utterances that wait for the recogniser: when it falls behind they are joined, and past a bound the oldest go."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .dictation import Dictation
from .types import SAMPLE_RATE, Utterance


@dataclass(frozen=True, slots=True)
class BacklogOptions:
    """How much may wait, and what is joined."""

    max_s: float = 60.0
    """Seconds of sound."""
    joined_s: float = 28.0
    """Utterances are joined up to this length: Whisper's work for one of 30 s is the same as for one of 3 s."""
    joined_gap_s: float = 2.0
    """Utterances further apart stay apart: what lies between them becomes silence."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An utterance that has ended."""

    utterance: Utterance
    dictation: Dictation
    ended_s: float
    """When that was known, monotonic seconds."""
    joined: int = 1
    """How many utterances it is made of."""


class Backlog:
    """A queue bounded by the length of what waits in it."""

    def __init__(self, options: BacklogOptions) -> None:
        self._options = options
        self._queue: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, waiting: Waiting, *, first: bool = False) -> list[Waiting]:
        """Queue an utterance, behind the others or before them; returns the oldest ones, which there is no room for."""
        if first:
            self._queue.appendleft(waiting)
        else:
            self._queue.append(waiting)
        lost = []
        while len(self._queue) > 1 and sum(len(each.utterance.samples) for each in self._queue) > self._room:
            lost.append(self._queue.popleft())
        return lost

    def take(self) -> Waiting:
        """The oldest utterance, joined with those after it as far as they go together.

        One that the recogniser has begun to hear is not: it would have to hear it again, and could change its mind.
        """
        taken = self._queue.popleft()
        while self._queue and self._goes_with(taken, self._queue[0]):
            taken = _join(taken, self._queue.popleft())
        return taken

    def clear(self) -> list[Waiting]:
        """Empty the queue; returns what was in it."""
        left = list(self._queue)
        self._queue.clear()
        return left

    @property
    def _room(self) -> int:
        return round(self._options.max_s * SAMPLE_RATE)

    def _goes_with(self, first: Waiting, second: Waiting) -> bool:
        gap_s = second.utterance.start_s - first.utterance.end_s
        length_s = second.utterance.end_s - first.utterance.start_s
        begun = first.dictation.begun or second.dictation.begun
        return not begun and gap_s <= self._options.joined_gap_s and length_s <= self._options.joined_s


def _join(first: Waiting, second: Waiting) -> Waiting:
    a, b = first.utterance, second.utterance
    between = np.zeros(max(0, round((b.start_s - a.end_s) * SAMPLE_RATE)), np.float32)
    utterance = Utterance(np.concatenate([a.samples, between, b.samples]), a.start_s, b.end_s)
    return Waiting(utterance, second.dictation, second.ended_s, first.joined + second.joined)
