"""A detector and a recogniser that could not be loaded at the start, and can be later."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

import tracks.worker
from server.app import serve
from server.health import Health
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, Clicks, LoudVad
from tests.server.clients import Api, Browser, until_async
from tests.waiting import until
from tracks.errors import ModelUnavailable


class Disk:
    """Where the models are, as soon as it is there."""

    def __init__(self) -> None:
        self.mounted = False

    def load(self, made: type[Any]) -> Any:
        if not self.mounted:
            raise ModelUnavailable("the disk with the models is not there")
        return made()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def api(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _imported: None, request: pytest.FixtureRequest
) -> AsyncIterator[Api]:
    """A server that tries again after the time that the test names, and whose every answer is from a new self-test."""
    monkeypatch.setattr(tracks.worker, "RETRY_S", request.param)
    monkeypatch.setattr("server.app.Health", functools.partial(Health, cache_s=0.0))
    serving = serve(
        Settings(data_dir=tmp_path),
        load=lambda choice, **options: disk.load(BrightDetector),
        load_asr=lambda choice, **options: disk.load(BeepAsr),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        await until(lambda: server.deaf())
        yield Api(server, http)


async def health(api: Api) -> tuple[int, dict[str, Any]]:
    response = await api.http.get("/health")
    return response.status, (await response.json())["checks"]


@pytest.mark.parametrize("api", [60.0], indirect=True)
async def test_health_says_what_is_missing_and_when_it_is_tried_again(api: Api, disk: Disk) -> None:
    """Both are told of; being asked again and again does not make it be tried again and again."""
    disk.mounted = True
    for _ in range(2):
        status, checks = await health(api)
        assert status == 503
        assert "the disk with the models is not there (tried again in" in checks["detector"]["error"]
        assert checks["detector"]["code"] == "model_unavailable"
        assert "the disk with the models is not there (tried again in" in checks["recogniser"]["reason"]


@pytest.mark.parametrize("api", [0.02], indirect=True)
async def test_health_brings_back_what_was_missing(api: Api, disk: Disk) -> None:
    """A server that nobody is sent to, because it is not ready, still finds out that it could be."""
    disk.mounted = True

    async def well() -> bool:
        status, checks = await health(api)
        return status == 200 and checks["recogniser"].get("model") == "beeps"

    await until_async(well)
    assert (await api.http.get("/health/ready")).status == 200


@pytest.mark.parametrize("api", [0.02], indirect=True)
async def test_a_session_that_began_without_a_detector_sees_later(
    api: Api, disk: Disk, browsers: list[Browser]
) -> None:
    """It is told that there is none, shows its picture, and has boxes as soon as there is one."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("error") and len(browser.pictures) > 5)
    disk.mounted = True
    await until(lambda: any(event["data"]["objects"] for event in browser.live_kinds("detection")))
    assert [event["data"]["code"] for event in browser.kinds("error")] == ["model_unavailable"]


@pytest.mark.parametrize("api", [0.02], indirect=True)
async def test_a_session_that_began_without_a_recogniser_hears_later(
    api: Api, disk: Disk, browsers: list[Browser]
) -> None:
    """It is told once that there is none, tells who speaks, and has words as soon as there is one."""
    session_id = await api.make_session(pipelines=["audio"])
    browser = Browser(api, session_id, tracks=(Clicks(time.monotonic()),))
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("error") and len(browser.kinds("speech")) >= 2)
    assert not browser.kinds("transcript")
    disk.mounted = True
    await until(lambda: any(event["data"]["final"] for event in browser.kinds("transcript")))
    assert [event["data"]["code"] for event in browser.kinds("error")] == ["model_unavailable"]
