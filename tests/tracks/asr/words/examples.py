"""Utterances as the network learns from them: mels, tokens in Whisper's format, and where each token is to be heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from torch import Tensor

from tests.tracks.asr.words.network import POSITIONS, STRIDE
from tests.tracks.asr.words.utterances import Spoken
from tests.tracks.asr.words.vocabulary import ENGLISH, GERMAN, Vocabulary, plain

POSITION_S = 0.02
LATEST_START_S = 1.0
"""Of the first segment, as Whisper's decoding has it."""
BLUR = (0.4, 0.24, 0.06)
"""How much of a time token is expected of itself, and of each of its neighbours."""
BEHIND = 8
"""Empty positions behind the longest utterance of a batch."""
IGNORED = -100
CLASSES = {plain(word): index for index, word in enumerate((*ENGLISH, *GERMAN), 1)}
"""Of positions of the encoder: the word there; 0 is none. "null" and "zero" are two."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to write an utterance."""

    tokens: list[int]
    targets: list[int]
    """What follows on each token, or `IGNORED` where it is given."""
    places: list[tuple[float, float] | None]
    """From when to when that is heard."""


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance with its rows."""

    mels: Tensor
    """(80, frames), float16."""
    rows: tuple[Row, ...]
    labels: Tensor
    """(positions,) the class of each."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of similar length; two rows each, so twice as many of these."""

    mels: Tensor
    used: Tensor | None
    labels: Tensor
    tokens: Tensor
    targets: Tensor
    """(rows, length)."""
    places: Tensor
    """(rows, length, 2): the first and the last position plus one; equal where none is known."""


class Examples:
    """Makes examples and batches of them."""

    def __init__(self, vocabulary: Vocabulary, seed: int) -> None:
        self._known = vocabulary
        self._extract = FeatureExtractor()
        self._rng = np.random.default_rng(seed)

    def example(self, spoken: Spoken, prompted: float) -> Example:
        """`prompted`: the probability that other words come before, as a prompt does."""
        mels = self._extract(spoken.samples)[..., :-1]
        labels = np.zeros(mels.shape[1] // 2, np.int64)
        for each in spoken.said:
            labels[round(each.start_s / POSITION_S) : round(each.end_s / POSITION_S)] = CLASSES[each.word]
        rows = tuple(self._row(spoken, times=times, prompted=prompted) for times in (True, False))
        return Example(torch.from_numpy(mels).half(), rows, torch.from_numpy(labels))

    def batch(self, examples: Sequence[Example], *, whole: bool) -> Batch:
        """`whole`: with all 1500 positions."""
        count = max(len(each.labels) for each in examples) + BEHIND
        count = POSITIONS if whole or count > POSITIONS - 2 * STRIDE else count
        mels = torch.zeros(len(examples), 80, 2 * count)
        labels = torch.zeros(len(examples), count, dtype=torch.long)
        for index, each in enumerate(examples):
            mels[index, :, : each.mels.shape[1]] = each.mels
            labels[index, : len(each.labels)] = each.labels
        first = self._rng.integers(STRIDE)
        used = None if count == POSITIONS else torch.arange(count + first, POSITIONS, STRIDE)
        rows = [row for each in examples for row in each.rows]
        length = max(len(row.tokens) for row in rows)
        tokens = torch.full((len(rows), length), self._known.end)
        targets = torch.full((len(rows), length), IGNORED)
        places = torch.zeros(len(rows), length, 2, dtype=torch.long)
        for index, row in enumerate(rows):
            tokens[index, : len(row.tokens)] = torch.tensor(row.tokens)
            targets[index, : len(row.targets)] = torch.tensor(row.targets)
            for at, place in enumerate(row.places):
                if place:
                    first_s, last_s = (min(max(at_s, 0), 2 * POSITION_S * count) for at_s in place)
                    places[index, at, 0] = min(int(first_s / POSITION_S), count - 1)
                    places[index, at, 1] = min(max(round(last_s / POSITION_S), places[index, at, 0] + 1), count)
        return Batch(mels, used, labels, tokens, targets, places)

    def _row(self, spoken: Spoken, *, times: bool, prompted: float) -> Row:
        known, rng = self._known, self._rng
        tokens: list[int] = []
        if rng.random() < prompted:
            tokens = [known.previous]
            for word in rng.choice(list(CLASSES), rng.integers(1, 5)).tolist():
                tokens += known.pieces(word)
        targets: list[int] = [IGNORED] * len(tokens)
        places: list[tuple[float, float] | None] = [None] * len(tokens)

        def say(token: int, target: int, place: tuple[float, float] | None = None) -> None:
            tokens.append(token)
            targets.append(target)
            places.append(place)

        language = known.language(spoken.language)
        say(known.start, language if spoken.segments else known.no_speech)
        say(language, known.transcribe)
        said = _said(spoken, known, times=times)
        if times:
            last = known.transcribe
        else:
            say(known.transcribe, IGNORED)
            last = known.no_times
        for token, place in said:
            say(last, token, place)
            last = token
        end_s = spoken.said[-1].end_s if spoken.segments else 0.0
        say(last, known.end, (end_s + 0.04, end_s + 0.5) if spoken.segments else None)
        return Row(tokens, targets, places)


def _said(spoken: Spoken, known: Vocabulary, *, times: bool) -> list[tuple[int, tuple[float, float] | None]]:
    """What is to be written, token by token, and where in the sound it comes from."""
    if not spoken.segments:
        return [(known.time(0.0), None)] if times else []
    borders = _borders(spoken)
    said: list[tuple[int, tuple[float, float] | None]] = []
    at = 0
    for index, segment in enumerate(spoken.segments):
        start_s, end_s = segment[0].start_s, segment[-1].end_s
        if times:
            shown_s = min(start_s, LATEST_START_S) if index == 0 else start_s
            said.append((known.time(shown_s), (start_s - 0.04, start_s + 0.06)))
        for each in segment:
            pieces = known.pieces(each.word)
            first_s, last_s = borders[at], borders[at + 1]
            for part, piece in enumerate(pieces):
                step_s = (last_s - first_s) / len(pieces)
                said.append((piece, (first_s + part * step_s, first_s + (part + 1) * step_s)))
            at += 1
        if times:
            said.append((known.time(end_s), (end_s - 0.06, end_s + 0.04)))
    return said


def _borders(spoken: Spoken) -> list[float]:
    """Where the attention passes from word to word: in the middle of short pauses, at the end of long ones.

    A word ends where the next one begins, as faster-whisper sees it; it makes words shorter that reach far beyond
    their segment.
    """
    said = spoken.said
    borders = [max(said[0].start_s - 0.06, 0.0)]
    for before, after in pairwise(said):
        pause_s = after.start_s - before.end_s
        borders.append(after.start_s - (pause_s / 2 if pause_s < 0.4 else 0.04))
    return [*borders, said[-1].end_s + 0.04]
