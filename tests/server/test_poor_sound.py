"""Sessions that listen where there is little or nothing to hear, or nobody who could: the picture goes on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import Clicks, Flashes, LoudVad
from tests.server.clients import Api, Browser, until_async
from tests.waiting import until
from tracks.asr import Asr
from tracks.errors import ModelUnavailable
from tracks.registry import SOURCES

BOTH = ["vision", "audio"]


class Muted(Clicks):
    """A microphone that is on, and hears nothing at all."""

    loudness = 0.0


async def errors(api: Api, session_id: str) -> list[dict[str, Any]]:
    """What the session told of that went wrong."""
    return [event["data"] for event in await api.events(session_id, kind="error")]


async def seen_and_told(api: Api, viewer: Browser) -> dict[str, Any]:
    """The session's one error, once objects have been detected and pictures have come back."""
    await until(lambda: len(viewer.pictures) > 5)
    await until(lambda: any(event["data"]["objects"] for event in viewer.live_kinds("detection")))

    async def told() -> bool:
        return bool(await errors(api, viewer.session_id))

    await until_async(told)
    (error,) = await errors(api, viewer.session_id)
    return error


async def test_a_publisher_without_sound_is_told(api: Api, browsers: list[Browser]) -> None:
    """A camera without a microphone in a session that was to listen: once, with a stable code."""
    browser = Browser(api, await api.make_session(pipelines=BOTH))
    browsers.append(browser)
    await browser.connect()
    error = await seen_and_told(api, browser)
    assert error["code"] == "unsupported_media"
    assert error["message"].startswith("the publisher has no sound")


async def test_a_source_without_sound_is_told(
    api: Api, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that the server opens itself, as an older camera is."""
    monkeypatch.setitem(SOURCES, "demo", "tests.fakes:open_silent_film")  # type: ignore[arg-type]
    viewer = Browser(api, await api.make_session("demo", pipelines=BOTH), publish=False)
    browsers.append(viewer)
    await viewer.connect()
    error = await seen_and_told(api, viewer)
    assert error["code"] == "unsupported_media"
    assert error["message"].startswith("the source has no sound")


async def test_nobody_who_was_not_to_listen_complains(api: Api, browsers: list[Browser]) -> None:
    """A camera without a microphone is all that a session without `audio` wants."""
    browser = Browser(api, await api.make_session())
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.pictures) > 5)
    assert await errors(api, browser.session_id) == []


async def test_silence_is_no_error_and_has_no_words(api: Api, browsers: list[Browser]) -> None:
    """Two seconds of a muted microphone: nobody speaks, and the session lives."""
    session_id = await api.make_session(pipelines=BOTH)
    began_s = time.monotonic()
    browser = Browser(api, session_id, tracks=(Flashes(began_s), Muted(began_s)))
    browsers.append(browser)
    await browser.connect()
    live = api.server.live.find(session_id)
    assert live is not None
    await until(lambda: live.stats.audio_in > 100)
    assert not browser.kinds("speech") + browser.kinds("transcript")
    assert await errors(api, session_id) == []
    assert live.state == "live"


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
async def test_telephone_sound_is_heard(api: Api, browsers: list[Browser], codec: str) -> None:
    """8 kHz, or 16 kHz in G.722, over WebRTC: the words and when they began are those of any other."""
    began_s = time.monotonic() + 0.5
    browser = Browser(api, await api.make_session(pipelines=["audio"]), tracks=(Clicks(began_s),))
    browsers.append(browser)
    browser.audio_codec = codec
    await browser.connect()
    await until(lambda: any(event["data"]["final"] for event in browser.kinds("transcript")))
    final = next(event for event in browser.kinds("transcript") if event["data"]["final"])
    assert final["data"]["text"] == "b3"
    assert f"{codec}/8000" in browser.pc.remoteDescription.sdp
    assert "opus" not in browser.pc.remoteDescription.sdp


@pytest.fixture
async def deaf(tmp_path: Path, _imported: None) -> AsyncIterator[Api]:
    """A server whose recogniser's model is missing."""

    def missing(choice: str, **options: Any) -> Asr:
        raise ModelUnavailable("whisper-large is not in /models")

    serving = serve(
        Settings(data_dir=tmp_path), load=lambda choice, **options: BrightDetector(), load_asr=missing, vad=LoudVad()
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        yield Api(server, http)


async def test_a_missing_model_costs_the_words_alone(deaf: Api, browsers: list[Browser]) -> None:
    """Who speaks is noticed, the picture comes back annotated, and the error says which model it is."""
    began_s = time.monotonic()
    browser = Browser(deaf, await deaf.make_session(pipelines=BOTH), tracks=(Flashes(began_s), Clicks(began_s)))
    browsers.append(browser)
    await browser.connect()
    assert await seen_and_told(deaf, browser) == {
        "code": "model_unavailable",
        "message": "whisper-large is not in /models",
    }
    await until(lambda: len(browser.kinds("speech")) >= 2)
    assert not browser.kinds("transcript")
