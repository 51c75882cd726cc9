"""`/health`: what runs and whether it works, for people, for probes, and for whoever waits for the start."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from aiohttp import hdrs, web
from pydantic import ConfigDict

from tracks.detect import DetectorInfo

from ..api import Answer, Reply, Route, declare, example, reply
from ..health import Health, Status, describe
from ..roles import Role

TAG = "health"


class CheckReply(Reply):
    """How one self-test went, with what it measured: other fields by check."""

    model_config = ConfigDict(extra="allow")

    status: Status


class DetectorReply(Reply):
    """The detector that runs."""

    name: str
    runtime: str
    device: str
    precision: str
    file: str
    """Without its folder."""
    sha256: str
    labels: list[str]
    reason: str
    """Why this one runs."""
    fallback: bool
    """It is not the one that was asked for."""


class HealthReply(Reply):
    """What runs, and how each self-test went."""

    model_config = example(
        status="ok",
        version="0.1.0",
        uptime=93.4,
        at=1763791200.1,
        checks={"database": {"status": "ok", "roundTripMs": 1.2}, "disk": {"status": "ok", "freeBytes": 53687091200}},
        detector=None,
    )

    status: Status
    """The worst of the checks."""
    version: str
    uptime: float
    """Seconds."""
    at: float
    """When the self-tests ran, in Unix seconds."""
    checks: dict[str, CheckReply]
    detector: DetectorReply | None
    """null while it is loading, and when there is none to be had."""


class LiveReply(Reply):
    """The process answers."""

    model_config = example(status="ok")

    status: Literal["ok"]


class ReadyReply(Reply):
    """Whether media can be taken."""

    model_config = example(status="ok")

    status: Literal["ok", "degraded", "failed", "starting"]


def add_routes(app: web.Application, health: Health, version: str, detector: Callable[[], DetectorInfo | None]) -> None:
    """Add `GET /health`, `/health/live` and `/health/ready`; `detector` gives None while none is loaded."""
    started_s = time.monotonic()

    async def get_health(request: web.Request) -> web.Response:
        report = await health.report()
        info = detector()
        checks = {name: CheckReply(status=each.status, **each.detail) for name, each in report.checks.items()}
        return _answer(
            report.status == "failed",
            HealthReply(
                status=report.status,
                version=version,
                uptime=round(time.monotonic() - started_s, 1),
                at=report.at,
                checks=checks,
                detector=None if info is None else DetectorReply.model_validate(describe(info)),
            ),
        )

    async def get_live(request: web.Request) -> web.Response:
        return _answer(False, LiveReply(status="ok"))

    async def get_ready(request: web.Request) -> web.Response:
        if health.last is None:  # the self-tests of the start still run
            return _answer(True, ReadyReply(status="starting"))
        report = await health.report()
        return _answer(report.status == "failed", ReadyReply(status=report.status))

    # What asks may add parameters of its own: the queries are not looked at.
    declare(
        app,
        Route(
            "GET",
            "/health",
            get_health,
            "See what runs, and whether it works",
            TAG,
            Role.VIEWER,
            (
                Answer(200, "It works, though perhaps not all of it.", HealthReply),
                Answer(503, "It fails.", HealthReply),
            ),
            query=None,
            description="The self-tests run when they are asked for, once in five seconds at most.",
        ),
        Route(
            "GET",
            "/health/live",
            get_live,
            "See that the process answers",
            TAG,
            None,
            (Answer(200, "It does.", LiveReply),),
            query=None,
        ),
        Route(
            "GET",
            "/health/ready",
            get_ready,
            "See whether media can be taken",
            TAG,
            None,
            (Answer(200, "It can.", ReadyReply), Answer(503, "Not yet, or no more.", ReadyReply)),
            query=None,
        ),
    )


def _answer(failed: bool, body: Reply) -> web.Response:
    return reply(body, 503 if failed else 200, {hdrs.CACHE_CONTROL: "no-store"})
