"""LocalAgreement-2: which words of a growing utterance are firm.

Whisper hears a whole utterance at once and may change its mind with every bit of sound that is added. A word that two
hypotheses in a row agree on, and all words before it, is committed and stays as it is: Macháček, Dabre, Bojar (2023),
"Turning Whisper into Real-Time Transcription System", https://arxiv.org/abs/2307.14743; the policy is by Liu et al.
(2020).

Theirs trims the sound as it goes and finds by time where a hypothesis goes on behind the committed words. Here
utterances are short and each hypothesis begins at the same place, so the words themselves are compared: times move by
more than a short word lasts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from ..types import Word

_NOT_SPOKEN = re.compile(r"[^\w']+")


class Agreement:
    """The committed words of one utterance, and what the newest hypothesis adds to them."""

    def __init__(self) -> None:
        self._committed: tuple[Word, ...] = ()
        self._tail: tuple[Word, ...] = ()

    @property
    def committed(self) -> tuple[Word, ...]:
        """Words that no longer change."""
        return self._committed

    def push(self, hypothesis: Sequence[Word]) -> tuple[Word, ...]:
        """Take what was heard in all of the utterance so far; returns the committed words and then the others."""
        tail = self._behind_committed(hypothesis)
        pairs = zip(tail, self._tail, strict=False)
        agreed = sum(1 for _ in takewhile(lambda pair: spoken(pair[0]) == spoken(pair[1]), pairs))
        self._committed += tail[:agreed]
        self._tail = tail[agreed:]
        return self._committed + self._tail

    def finish(self, hypothesis: Sequence[Word]) -> tuple[Word, ...]:
        """All words, given what was heard in the finished utterance: the committed ones, and what follows on them."""
        self._committed += self._behind_committed(hypothesis)
        self._tail = ()
        return self._committed

    def _behind_committed(self, hypothesis: Sequence[Word]) -> tuple[Word, ...]:
        if not self._committed:
            return tuple(hypothesis)
        last = self._committed[-1]
        cut = _covered([spoken(word) for word in self._committed], hypothesis, last.end_s)
        return tuple(word if word.start_s >= last.end_s else _moved(word, last.end_s) for word in hypothesis[cut:])


def spoken(word: Word) -> str:
    """What of a word can be heard: neither case nor punctuation."""
    return _NOT_SPOKEN.sub("", word.text).casefold()


def _covered(committed: Sequence[str], hypothesis: Sequence[Word], end_s: float) -> int:
    """How many words of the hypothesis say what was committed: those with the least edit distance to it.

    Among equals, those that end nearest to `end_s`.
    """
    distances = list(range(len(committed) + 1))  # from committed[:column] to the words of the hypothesis so far
    best, best_at = (distances[-1], end_s), 0
    for row, word in enumerate(hypothesis, 1):
        diagonal, distances[0] = distances[0], row
        for column, said in enumerate(committed, 1):
            substituted = diagonal + (said != spoken(word))
            diagonal = distances[column]
            distances[column] = min(substituted, diagonal + 1, distances[column - 1] + 1)
        found = (distances[-1], abs(word.end_s - end_s))
        if found < best:
            best, best_at = found, row
    return best_at


def _moved(word: Word, start_s: float) -> Word:
    """The word, not before those that are committed."""
    return replace(word, start_s=start_s, end_s=max(word.end_s, start_s))
