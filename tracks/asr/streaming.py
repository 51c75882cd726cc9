"""Partial transcripts from an engine that only hears whole utterances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..types import SAMPLE_RATE, Samples, Transcript, Utterance, Word
from . import Cancelled, never
from .agreement import Agreement

Draft = Callable[[Utterance], Transcript]
"""A quick transcript of what has been said so far."""
Final = Callable[[Utterance, Cancelled], Transcript]


class AgreeingStream:
    """An `AsrStream`: each push hears all that was said so far again, and words are firm that two pushes agree on.

    Each push costs as much as a short utterance; with Whisper, which looks at 30 s whatever there is, nearly the same
    whether little or much has been said.
    """

    def __init__(self, start_s: float, draft: Draft | None, final: Final) -> None:
        """`draft` None: there are no partials, every push gives an empty transcript at once."""
        self._start_s = start_s
        self._draft = draft
        self._final = final
        self._pieces: list[Samples] = []
        self._agreement = Agreement()

    def push(self, samples: Samples) -> Transcript:
        """See `AsrStream.push`."""
        self._pieces.append(samples)
        if self._draft is None:
            return Transcript("", (), None, final=False)
        heard = self._draft(self._utterance())
        words = self._agreement.push(heard.words)
        return Transcript(joined(words), words, heard.language, final=False)

    def finish(self, utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
        """See `AsrStream.finish`: what was committed stays, whatever the whole utterance sounds like."""
        heard = self._final(utterance, cancelled)
        words = self._agreement.finish(heard.words)
        if words == heard.words:
            return heard
        return replace(heard, text=joined(words), words=words)

    def abandon(self) -> None:
        """See `AsrStream.abandon`."""
        self._pieces.clear()

    def _utterance(self) -> Utterance:
        samples = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        self._pieces = [samples]
        return Utterance(samples, self._start_s, self._start_s + len(samples) / SAMPLE_RATE)


def joined(words: tuple[Word, ...]) -> str:
    """The words as one line."""
    return " ".join(word.text for word in words)
