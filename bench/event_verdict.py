"""The figures that storing and finding events have to reach, and the lines of their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .events import OnDatabase
from .figure import Verdict

PER_S = 5000
LAG_MS = 50
PAGE_MS = 10
WORDS_MS = 100


def event_verdicts(measured: Sequence[OnDatabase]) -> Iterator[Verdict]:
    """Every figure, for each database."""
    for one in measured:
        stored, kills = one.stored, one.kills
        yield Verdict(
            f"{one.name}: events stored per second, {stored.count} of them",
            f">= {PER_S}",
            f"{stored.per_s:.0f}{f', {stored.missing} missing' if stored.missing else ''}",
            stored.per_s >= PER_S and not stored.missing,
        )
        yield Verdict(
            f"{one.name}: event loop lag p99 meanwhile",
            f"<= {LAG_MS} ms",
            f"{stored.lag_p99_ms:.1f} ms",
            stored.lag_p99_ms <= LAG_MS,
        )
        for what, words, wanted_ms in (("any filter but q", False, PAGE_MS), ("q", True, WORDS_MS)):
            worst = max((each for each in one.asked if each.words == words), key=lambda each: each.p95_ms)
            yield Verdict(
                f"{one.name}: page of 100 over HTTP, {what}, p95",
                f"<= {wanted_ms} ms",
                f"{worst.p95_ms:.1f} ms ({worst.name})",
                worst.p95_ms <= wanted_ms,
            )
        yield Verdict(
            f"{one.name}: killed with -9, {kills.kills} times",
            "0 lost, 0 doubled",
            f"{kills.lost} lost, {kills.doubled} doubled, {kills.unfound} unfound of {kills.told}",
            kills.faultless,
        )


def event_table(measured: Sequence[OnDatabase]) -> Iterator[str]:
    """What the figures were taken from."""
    for one in measured:
        stored = one.stored
        yield (
            f"{one.name}: {stored.count} events in {stored.seconds:.0f} s, {stored.cores:.2f} core of this process, "
            f"loop late by {stored.lag_p99_ms:.1f} ms (p99), {stored.lag_max_ms:.1f} ms at most; "
            f"{one.bytes_each:.0f} bytes each"
        )
        for each in one.asked:
            yield f"  {each.name:24} p50 {each.p50_ms:6.1f} ms  p95 {each.p95_ms:6.1f} ms  {each.found:5.1f} found"
        yield f"  {one.kills.stored} events stored by servers that were killed"
