"""When the live path tells of speech and of words, held against when they were spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .hearing_live import Played

SAME_S = 1e-6


@dataclass(frozen=True, slots=True)
class Final:
    """One final transcript."""

    end_s: float
    """Where its speech ends, as the voice detector has it."""
    after_s: float
    """From there until it was told."""
    engine_s: float
    """The engine's own part of that."""
    late_s: float
    """What is left of it without the minimum silence and the engine: what the live path itself takes."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of one file, played by the clock. Seconds."""

    name: str
    min_silence_s: float
    onsets_s: Sequence[float]
    """Where speech begins."""
    first_words_s: Sequence[float]
    """From each onset to the first text; infinite where none was told."""
    intervals_s: Sequence[float]
    """Between partial transcripts while somebody speaks."""
    finals: Sequence[Final]
    core: float
    """CPU outside the engine."""
    drops: dict[str, int]


def times(name: str, min_silence_s: float, played: Played, voiced: Sequence[tuple[float, float]]) -> Times:
    """`voiced`: (begin, end) of every stretch of speech without a pause, in seconds of the file."""
    onsets_s = [each.media_s for each in played.of("started")]
    return Times(
        name,
        min_silence_s,
        onsets_s,
        [_first_words(played, at_s, until_s) for at_s, until_s in pairwise([*onsets_s, float("inf")])],
        intervals([each.at_s for each in played.of("partial")], voiced),
        _finals(played, min_silence_s),
        played.core,
        {kind: count for kind, count in played.drops.items() if count},
    )


def intervals(partials_s: Sequence[float], voiced: Sequence[tuple[float, float]]) -> list[float]:
    """Between partial transcripts within each stretch of speech, and from the last one to its end.

    Where a stretch goes on after a pause of the same utterance, what came before it counts as told at its begin.
    """
    found: list[float] = []
    for begin_s, end_s in voiced:
        within = [at_s for at_s in partials_s if begin_s <= at_s <= end_s]
        found += [after - before for before, after in pairwise([*within, end_s])] if within else []
    return found


def _first_words(played: Played, onset_s: float, next_s: float) -> float:
    """Of the transcripts that cover something of what begins at `onset_s`, and nothing later."""
    told = (
        each.at_s - onset_s
        for each in played.told
        if each.what in ("partial", "final") and onset_s < each.media_s <= next_s and each.text
    )
    return min(told, default=float("inf"))


def _finals(played: Played, min_silence_s: float) -> list[Final]:
    """Those that were told. A cut at the greatest length has no silence before it, and is left out."""
    found = []
    for told in played.of("final"):
        answer = next((a for a in played.answers if abs(a.utterance.end_s - told.media_s) < SAME_S), None)
        if answer is None:
            continue
        start_s, end_s = answer.utterance.start_s, answer.utterance.end_s
        ends = [each.media_s for each in played.of("stopped") if start_s < each.media_s <= end_s + SAME_S]
        if ends:
            after_s = told.at_s - ends[-1]
            found.append(Final(ends[-1], after_s, answer.took_s, after_s - min_silence_s - answer.took_s))
    return found
