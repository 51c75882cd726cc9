"""Whether files of strangers can be decoded here, and which of the decoder's limits this system lacks, for /health."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tracks.errors import Overloaded

from .health import Check, CheckResult

TRY_S = 4.0
"""A decoder starts in 0.1 s of processor time; one that takes longer on a busy machine is tried again next time."""


def decoder_check(missing: Callable[[], Awaitable[Sequence[str]]], *, timeout_s: float = TRY_S) -> Check:
    """Starts a decoder without a file, until one has started: what the system lacks does not change.

    `missing` names the limits that it could not have: `memory`, `privileges`, `files`, `descriptors`. They are told and
    are no fault: others hold everywhere. Without a decoder recordings are refused, and all else works.
    """
    found: Sequence[str] | None = None

    async def run() -> CheckResult:
        nonlocal found
        if found is None:
            try:
                async with asyncio.timeout(timeout_s):
                    found = await missing()
            except TimeoutError:
                return CheckResult("degraded", {"reason": f"the decoder did not start within {timeout_s:g} s"})
            except Overloaded as error:
                return CheckResult("degraded", {"reason": error.message})
        return CheckResult("ok", {"missingLimits": list(found)})

    return Check("decoder", run)
