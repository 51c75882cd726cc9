"""The figures that hearing has to reach, and the lines of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .figure import Verdict
from .hearing import CONVERSATION, Hearing
from .hearing_times import Times

ONSETS_S = (3.36, 16.29)
"""Where somebody begins to speak in `CONVERSATION`."""
ONSET_WITHIN_S = 0.15
MIN_WORDS = 500
POINTS = 2.0
FIRST_WORDS_S = 1.0
INTERVAL_S = 0.6
LATE_S = 0.3
CORE = 0.05
BATCH_COST = 0.05


def hearing_verdicts(hearing: Hearing) -> Iterator[Verdict]:
    """Every figure."""
    words = hearing.words
    for than, cost, alone in (
        ("whole clips", words.cost, words.whole),
        ("same utterances", words.handling_cost, words.utterances),
    ):
        yield Verdict(
            f"hearing: wrong words, live beyond the engine on {than}",
            f"<= +{POINTS:g} points of >= {MIN_WORDS} words",
            f"{cost:+.1f} ({words.live.rate:.1%} - {alone.rate:.1%}) of {alone.words}",
            cost <= POINTS and alone.words >= MIN_WORDS and not words.drops,
        )
    found = hearing.conversation.onsets_s
    yield Verdict(
        f"hearing: speech begins in {CONVERSATION}",
        f"{_seconds(ONSETS_S)}, each within {ONSET_WITHIN_S * 1000:.0f} ms",
        _seconds(found),
        len(found) == len(ONSETS_S)
        and all(abs(at_s - true_s) <= ONSET_WITHIN_S for at_s, true_s in zip(found, ONSETS_S, strict=True)),
    )
    played = [hearing.conversation, *hearing.live]
    first = [each for one in played for each in one.first_words_s]
    yield _worst("hearing: first text after an onset", first, FIRST_WORDS_S)
    intervals = [each for one in played for each in one.intervals_s]
    yield _worst("hearing: between partial transcripts", intervals, INTERVAL_S)
    late = [final.late_s for one in played for final in one.finals]
    yield _worst("hearing: final after end, silence and engine", late, LATE_S)
    core = hearing.core
    yield Verdict("hearing: CPU outside the engine", f"<= {CORE} core", f"{core:.3f} core", core <= CORE)
    cost = hearing.batch.cost
    yield Verdict("hearing: batch beyond the engine", f"<= {BATCH_COST:+.0%}", f"{cost:+.1%}", cost <= BATCH_COST)


def hearing_table(hearing: Hearing) -> Iterator[str]:
    """What the figures were taken from."""
    yield f"hearing by {hearing.recogniser}; times in seconds, played by the clock ({hearing.playing_core:.3f} core)"
    for one in (hearing.conversation, *hearing.live):
        yield (
            f"  {one.name}, minimum silence {one.min_silence_s:g}, {one.core:.3f} core outside the engine, "
            "playing included"
        )
        yield f"    speech begins at {_seconds(one.onsets_s)}; first text after {_seconds(one.first_words_s)}"
        yield f"    {_partials(one)}{f'; dropped {one.drops}' if one.drops else ''}"
        for final in one.finals:
            yield (
                f"    speech until {final.end_s:.2f}: final after {final.after_s:.2f}, of which the engine "
                f"{final.engine_s:.2f} and the live path {final.late_s:+.2f}"
            )
    batch = hearing.batch
    yield (
        f"  batch of {batch.sound_s:.0f} s: {batch.factor:.3f} s for a second of sound, of which the engine "
        f"{batch.engine_factor:.3f}; the engine given the same pieces alone: {batch.alone_factor:.3f}"
    )
    words = hearing.words
    yield (
        f"  {words.live.words} words in {words.clips} clips ({words.sound_s:.0f} s), wrong: "
        f"live {words.live.rate:.1%}, engine alone on whole clips {words.whole.rate:.1%}, on the live path's "
        f"utterances {words.utterances.rate:.1%}; dropped: {words.drops or 'nothing'}"
    )


def _partials(one: Times) -> str:
    if not one.intervals_s:
        return "no partial transcripts"
    median_s, late_s = np.percentile(one.intervals_s, (50, 95))
    return (
        f"{len(one.intervals_s)} intervals between partials while somebody speaks: median {median_s:.2f}, "
        f"p95 {late_s:.2f}, longest {max(one.intervals_s):.2f}"
    )


def _worst(what: str, values_s: Sequence[float], wanted_s: float) -> Verdict:
    """The longest of these; none at all is no success."""
    worst_s = max(values_s, default=float("inf"))
    shown = f"{worst_s * 1000:.0f} ms at most, of {len(values_s)}"
    return Verdict(what, f"<= {wanted_s * 1000:.0f} ms", shown, worst_s <= wanted_s)


def _seconds(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values) or "none"
