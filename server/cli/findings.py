"""Everything that `doctor` looks at, in the order in which it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ..health import Check, CheckResult, Health, Status
from ..settings import Settings
from ..version import get_version
from . import machine, place
from .quiet import quiet_logs

QUICK_S = 20.0
"""How long a look at the machine may take: imports from a cold disk are among them."""
DETECTOR_S = 400.0
"""How long the detector may take: an export may take 300 s."""
RECOGNISER_S = 120.0
"""How long the recogniser may take: a large Whisper model takes a while to load from a disk."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, by what was looked at."""

    version: str
    checks: Mapping[str, CheckResult]
    """`detail` has `text` and, where something can be done, `remedy`; or the `error` that a check ended with."""

    @property
    def could_run(self) -> bool:
        """Whether a server could run."""
        return self.count("failed") == 0

    def count(self, status: Status) -> int:
        """How many have this status."""
        return sum(result.status == status for result in self.checks.values())


def examine(settings: Settings | None, problem: str) -> Findings:
    """Look at everything; without settings, since there is a `problem` with them, at what needs none. Blocking."""
    with quiet_logs():
        return asyncio.run(_examine(settings, problem))


async def _examine(settings: Settings | None, problem: str) -> Findings:
    found = await _run(machine.checks(), QUICK_S)
    found |= await _run([place.settings_check(settings, problem)], QUICK_S)
    if settings is not None:
        busy = await asyncio.to_thread(place.is_in_use, settings.data_dir)
        found |= await _run(place.checks(settings, in_use=busy), QUICK_S)
        if found["packages"].status != "failed":
            from .detector import detector_check, gpu_check, profile_check
            from .recogniser import recogniser_check

            found |= await _run([gpu_check(settings), profile_check(settings)], QUICK_S)
            writable = found["data"].status != "failed"
            found |= await _run([detector_check(settings, writable=writable)], DETECTOR_S)
            # After it, not beside it: each is timed.
            found |= await _run([recogniser_check(settings)], RECOGNISER_S)
    return Findings(get_version(), found)


async def _run(checks: list[Check], timeout_s: float) -> dict[str, CheckResult]:
    """Run them as /health runs its self-tests: side by side, in bounded time, and what one raises is its failure."""
    health = Health(checks, timeout_s=timeout_s)
    try:
        return dict((await health.report()).checks)
    finally:
        await health.close()
