"""What /health says of the process that decodes strangers' files."""

from __future__ import annotations

import asyncio

from server.health import CheckResult
from server.sandbox import decoder_check
from tests.server.clients import Api
from tracks.errors import Overloaded
from tracks.media.limits import Limits
from tracks.media.process import missing_limits


async def test_what_the_system_lacks_is_told_and_is_no_fault() -> None:
    """By name, and looked for once."""
    asked = 0

    async def missing() -> tuple[str, ...]:
        nonlocal asked
        asked += 1
        return ("memory", "files")

    check = decoder_check(missing)
    for _ in range(2):
        assert await check.run() == CheckResult("ok", {"missingLimits": ["memory", "files"]})
    assert asked == 1


async def test_a_decoder_that_does_not_start_is_told_and_tried_again() -> None:
    """Late or not at all: the rest of the server works, so it is degraded, until one starts."""
    tries = iter((Overloaded("the decoder did not start"), TimeoutError(), None))

    async def missing() -> tuple[str, ...]:
        match next(tries):
            case TimeoutError():
                await asyncio.Event().wait()
            case Overloaded() as error:
                raise error
        return ()

    check = decoder_check(missing, timeout_s=0.05)
    assert [await check.run() for _ in range(3)] == [
        CheckResult("degraded", {"reason": "the decoder did not start"}),
        CheckResult("degraded", {"reason": "the decoder did not start within 0.05 s"}),
        CheckResult("ok", {"missingLimits": []}),
    ]


async def test_the_server_tries_its_own(api: Api) -> None:
    """With the limits that recordings get."""
    await api.server.ready
    check = (await (await api.http.get("/health")).json())["checks"]["decoder"]
    assert check == {"status": "ok", "missingLimits": list(await missing_limits(Limits()))}
