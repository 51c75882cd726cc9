"""One figure that has to be reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was wanted, and what was measured."""

    what: str
    wanted: str
    measured: str
    reached: bool
