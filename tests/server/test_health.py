"""Self-tests: what they report, how long they may take, and what /health, /live and /ready answer."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.health import (
    Check,
    CheckResult,
    Health,
    Status,
    database_check,
    detector_check,
    disk_check,
)
from server.routes.health import add_routes
from tracks.detect import DetectorInfo
from tracks.errors import DatabaseUnavailable
from tracks.types import Image

Client = TestClient[web.Request, web.Application]
Serve = Callable[[Health], Awaitable[Client]]

INFO = DetectorInfo(
    name="people",
    runtime="openvino",
    device="CPU",
    precision="int8",
    file="/home/somebody/data/people.xml",
    sha256="ab" * 32,
    labels=("person",),
    reason="openvino is the fastest here",
)
FALLBACK = DetectorInfo("people", "torch", "cpu", "fp32", "p.pt", "ab" * 32, ("person",), "yolo26n cannot be had", True)


def fixed(name: str, status: Status) -> Check:
    async def run() -> CheckResult:
        return CheckResult(status)

    return Check(name, run)


class Switch:
    """A check whose outcome a test changes, and which counts its runs."""

    def __init__(self, status: Status = "ok") -> None:
        self.status = status
        self.runs = 0

    async def __call__(self) -> CheckResult:
        self.runs += 1
        return CheckResult(self.status)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    opened: list[tuple[Client, Health]] = []

    async def start(health: Health) -> Client:
        app = web.Application()
        add_routes(app, health, "1.2.3", lambda: INFO)
        client: Client = TestClient(TestServer(app))
        await client.start_server()
        opened.append((client, health))
        return client

    yield start
    for client, health in opened:
        await client.close()
        await health.close()


async def test_health_tells_version_uptime_checks_and_the_detector(serve: Serve, tmp_path: Path) -> None:
    """One camelCase answer says what runs, on which device and why, and how each self-test went."""
    pictures: list[Image] = []

    async def detect(picture: Image) -> None:
        pictures.append(picture)

    async def round_trip() -> None:
        return None

    checks = [detector_check(lambda: INFO, detect), database_check(round_trip), disk_check(tmp_path)]
    response = await (await serve(Health(checks))).get("/health")
    body = await response.json()
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert body["status"] == "ok"
    assert body["version"] == "1.2.3"
    assert 0 <= body["uptime"] < 60
    assert body["checks"]["detector"]["status"] == "ok"
    assert body["checks"]["detector"]["inferenceMs"] >= 0
    assert body["checks"]["database"]["roundTripMs"] >= 0
    assert body["checks"]["disk"]["freeBytes"] > 0
    assert body["detector"] == {
        "name": "people",
        "runtime": "openvino",
        "device": "CPU",
        "precision": "int8",
        "file": "people.xml",
        "sha256": "ab" * 32,
        "labels": ["person"],
        "reason": "openvino is the fastest here",
        "fallback": False,
    }
    (picture,) = pictures
    assert picture.shape == (720, 1280, 3)
    assert picture.min() == 0
    assert picture.max() == 255
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("statuses", "expected", "http"),
    [
        (("ok", "ok"), "ok", 200),
        (("ok", "degraded"), "degraded", 200),
        (("degraded", "failed"), "failed", 503),
        ((), "ok", 200),
    ],
)
async def test_the_worst_check_decides(serve: Serve, statuses: Sequence[Status], expected: str, http: int) -> None:
    """Degraded still serves; failed answers 503."""
    client = await serve(Health([fixed(f"check{i}", status) for i, status in enumerate(statuses)]))
    response = await client.get("/health")
    assert response.status == http
    assert (await response.json())["status"] == expected


async def test_live_is_true_whatever_fails(serve: Serve) -> None:
    """It says that the loop runs, so that nobody restarts a server whose database is away."""
    switch = Switch("failed")
    client = await serve(Health([Check("database", switch)]))
    response = await client.get("/health/live")
    assert response.status == 200
    assert switch.runs == 0


async def test_ready_waits_for_the_first_self_tests_and_follows_them(serve: Serve) -> None:
    """503 before they have passed, 200 after, 503 when one fails later, 200 when it recovers."""
    switch = Switch()
    health = Health([Check("database", switch)], cache_s=0)
    client = await serve(health)
    before = await client.get("/health/ready")
    assert before.status == 503
    assert await before.json() == {"status": "starting"}
    assert switch.runs == 0
    await health.report()
    assert (await client.get("/health/ready")).status == 200
    switch.status = "failed"
    assert (await client.get("/health/ready")).status == 503
    switch.status = "ok"
    assert (await client.get("/health/ready")).status == 200


async def test_a_fallback_detector_is_degraded_and_says_why() -> None:
    """A model that could not be had is never silent."""

    async def detect(picture: Image) -> None:
        return None

    report = await Health([detector_check(lambda: FALLBACK, detect)]).report()
    assert report.status == "degraded"
    assert report.checks["detector"].detail["fallback"] is True
    assert report.checks["detector"].detail["reason"] == "yolo26n cannot be had"


async def test_what_a_check_raises_is_its_failure(caplog: pytest.LogCaptureFixture) -> None:
    """With the code of our errors, without credentials or folders, and with the stack once in the log only."""

    async def away() -> None:
        raise DatabaseUnavailable("cannot reach postgres://vedette:hunter2@db/v")

    async def broken(picture: Image) -> None:
        await asyncio.sleep(0)
        raise FileNotFoundError(2, "No such file or directory", "/home/somebody/secret")

    health = Health([database_check(away), detector_check(lambda: INFO, broken)], cache_s=0)
    report, _ = await asyncio.gather(health.report(), health.report())
    assert report.status == "failed"
    assert report.checks["database"].detail == {
        "error": "cannot reach postgres://***@db/v",
        "code": "db_unavailable",
    }
    assert report.checks["detector"].detail == {"error": "FileNotFoundError: No such file or directory"}
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_check_that_hangs_fails_in_time_and_is_not_started_twice() -> None:
    """The others' results come all the same; when it answers after all, the next run takes the answer."""
    answer = asyncio.Event()
    starts = 0

    async def hang() -> CheckResult:
        nonlocal starts
        starts += 1
        await answer.wait()
        return CheckResult("ok")

    health = Health([Check("disk", hang), fixed("database", "ok")], timeout_s=0.05, cache_s=0)
    for _ in range(3):
        report = await health.report()
        assert report.checks["disk"] == CheckResult("failed", {"error": "no answer within 0.05 s"})
        assert report.checks["database"].status == "ok"
    assert starts == 1
    answer.set()
    assert (await health.report()).status == "ok"
    await health.close()


async def test_closing_cancels_a_check_that_hangs() -> None:
    """No task is left behind."""
    stopped = asyncio.Event()

    async def hang() -> CheckResult:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError("unreachable")

    health = Health([Check("disk", hang)], timeout_s=0.01)
    await health.report()
    await health.close()
    await health.close()
    assert stopped.is_set()


async def test_checks_run_side_by_side() -> None:
    """Two checks that wait for each other both pass."""
    meet = asyncio.Barrier(2)

    async def run() -> CheckResult:
        await meet.wait()
        return CheckResult("ok")

    report = await Health([Check("a", run), Check("b", run)], timeout_s=2).report()
    assert report.status == "ok"


async def test_callers_share_a_run_and_its_report_for_a_while(serve: Serve) -> None:
    """Probes and pages do not make the detector work all the time."""
    switch = Switch()
    client = await serve(Health([Check("detector", switch)]))

    async def ask() -> int:
        return (await client.get("/health")).status

    assert await asyncio.gather(*(ask() for _ in range(10))) == [200] * 10
    assert await ask() == 200
    assert switch.runs == 1


async def test_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A check that fails says so, is quiet while it goes on failing, and says when it is well again."""
    caplog.set_level(logging.INFO, "server.health")
    switch = Switch()
    health = Health([Check("disk", switch)], cache_s=0)
    statuses: tuple[Status, ...] = ("ok", "failed", "failed", "ok", "ok")
    for status in statuses:
        switch.status = status
        await health.report()
    said = [(record.levelno, record.getMessage().strip()) for record in caplog.records]
    assert said == [(logging.WARNING, "self-test: disk is failed"), (logging.INFO, "self-test: disk is ok")]


class Usage(NamedTuple):
    """As shutil.disk_usage gives it."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free", "expected"), [(1 << 30, "ok"), ((1 << 30) - 1, "degraded"), (100 << 20, "degraded"), (99 << 20, "failed")]
)
async def test_little_space_degrades_and_then_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: str
) -> None:
    """Below 1 GiB it warns, below 100 MiB it fails."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, free))
    report = await Health([disk_check(tmp_path)]).report()
    assert report.status == expected
    assert report.checks["disk"].detail == {"freeBytes": free}


async def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    """A missing data folder is a failure with a reason, and nothing is left in a good one."""
    report = await Health([disk_check(tmp_path / "missing")]).report()
    assert report.status == "failed"
    assert report.checks["disk"].detail == {"error": "FileNotFoundError: No such file or directory"}
