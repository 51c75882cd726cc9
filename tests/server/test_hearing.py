"""Sessions that listen: what is said becomes events on the clock of what is seen."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import pytest
from aiohttp import FormData

from tests.fakes_speech import Clicks, Flashes, sound
from tests.server.clients import Api, Browser, problem, until_async
from tests.tracks.media.clips import wav
from tests.waiting import until
from tracks.registry import SOURCES

BOTH = ["vision", "audio"]


@pytest.fixture
def flashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the real demo: flashes, and a click with each."""
    monkeypatch.setitem(SOURCES, "demo", "tests.fakes_speech:open_flashes_and_clicks")  # type: ignore[arg-type]


def flashes(browser: Browser) -> list[float]:
    """Media times at which a flash was first seen."""
    seen = [(event["mediaTime"], bool(event["data"]["objects"])) for event in browser.live_kinds("detection")]
    return [now for (_, before), (now, after) in itertools.pairwise(seen) if after and not before]


def clicks(browser: Browser) -> list[float]:
    """Media times at which a click began, of final transcripts."""
    finals = [event for event in browser.kinds("transcript") if event["data"]["final"]]
    return [word["start"] for event in finals for word in event["data"]["words"]]


def apart(browser: Browser) -> list[float]:
    """For each click, how much later than the nearest flash it was."""
    return [min((click - flash for flash in flashes(browser)), key=abs) for click in clicks(browser)]


async def test_what_is_heard_and_seen_at_once_has_one_time(api: Api, browsers: list[Browser], flashing: None) -> None:
    """Of a source that the server opens itself: a word begins with the flash that came with it."""
    session_id = await api.make_session("demo", pipelines=BOTH, profile="accurate")
    viewer = Browser(api, session_id, publish=False)
    browsers.append(viewer)
    await viewer.connect()
    await until(lambda: len(clicks(viewer)) >= 3)
    assert abs(statistics.median(apart(viewer))) <= 0.1


async def test_a_publishers_picture_and_sound_have_one_time(api: Api, browsers: list[Browser]) -> None:
    """Over WebRTC, where both tracks count from zero: arrival first, then the sender's reports join them."""
    session_id = await api.make_session(pipelines=BOTH, profile="accurate")
    began_s = time.monotonic() + 0.5
    browser = Browser(api, session_id, tracks=(Flashes(began_s), Clicks(began_s)))
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(clicks(browser)) >= 4)
    assert abs(statistics.median(apart(browser)[1:])) <= 0.1
    assert browser.messages[0]["role"] == "publisher"


async def test_who_speaks_does_not_hear_it_back_and_viewers_do(api: Api, browsers: list[Browser]) -> None:
    """The publisher's sound goes to those who only listen."""
    session_id = await api.make_session(pipelines=BOTH)
    began_s = time.monotonic()
    speaker = Browser(api, session_id, tracks=(Flashes(began_s), Clicks(began_s)))
    listener = Browser(api, session_id, publish=False, listen=True)
    browsers += [speaker, listener]
    await speaker.connect()
    await listener.connect()
    await until(lambda: any(loud > 0.05 for loud in listener.loudness))
    assert speaker.loudness == []


async def test_partial_words_come_before_the_final_ones(api: Api, browsers: list[Browser], flashing: None) -> None:
    """Live, without a seq; the final transcript is stored, after them, and names its engine."""
    session_id = await api.make_session("demo", pipelines=BOTH)
    viewer = Browser(api, session_id, publish=False)
    browsers.append(viewer)
    await viewer.connect()
    await until(lambda: clicks(viewer) and len(viewer.kinds("speech")) >= 2)
    final = next(event for event in viewer.kinds("transcript") if event["data"]["final"])
    assert final["seq"] is not None
    assert (final["data"]["text"], final["data"]["engine"], final["data"]["speaker"]) == ("b3", "beeps", None)
    assert all(event["seq"] is None for event in viewer.kinds("speech"))
    assert [event["data"]["phase"] for event in viewer.kinds("speech")[:2]] == ["started", "stopped"]


async def test_the_transcript_is_kept(api: Api, flashing: None) -> None:
    """As JSON with words, as SubRip and as WebVTT; a client that was never there can read what was said."""
    session_id = await api.make_session("demo", pipelines=BOTH)

    async def read(suffix: str = "") -> Any:
        response = await api.http.get(f"/sessions/{session_id}/transcript{suffix}")
        return (await response.json()) if not suffix else (response.content_type, await response.text())

    async def said_twice() -> bool:
        return len((await read())["segments"]) >= 2

    await until_async(said_twice)
    transcript = await read()
    assert transcript["text"].startswith("b3 b3")
    assert transcript["language"] == "en"
    first = transcript["segments"][0]
    assert first["words"][0]["start"] == first["start"] < first["end"]
    kind, text = await read(".srt")
    assert (kind, text.splitlines()[0], text.splitlines()[2]) == ("application/x-subrip", "1", "b3")
    kind, text = await read(".vtt")
    assert (kind, text.splitlines()[0]) == ("text/vtt", "WEBVTT")
    assert (await problem(await api.http.get("/sessions/nowhere/transcript")))[:2] == (404, "not_found")


async def test_sound_is_not_taken_where_nobody_listens(api: Api, browsers: list[Browser]) -> None:
    """A session without `audio` answers, and hears nothing."""
    session_id = await api.make_session()
    began_s = time.monotonic()
    browser = Browser(api, session_id, tracks=(Flashes(began_s), Clicks(began_s)))
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.pictures) > 10)
    directions = {each.kind: each.currentDirection for each in browser.pc.getTransceivers()}
    assert directions == {"video": "sendrecv", "audio": "inactive"}
    assert not browser.kinds("transcript")


async def test_a_session_may_only_listen(api: Api, browsers: list[Browser]) -> None:
    """Sound alone makes it live, and is transcribed; a picture is neither taken nor sent."""
    session_id = await api.make_session(pipelines=["audio"])
    browser = Browser(api, session_id, tracks=(Clicks(time.monotonic()), Flashes(time.monotonic())))
    browsers.append(browser)
    await browser.connect()
    await until(lambda: clicks(browser))
    assert (await api.session(session_id))["state"] == "live"
    directions = {each.kind: each.currentDirection for each in browser.pc.getTransceivers()}
    assert directions == {"video": "inactive", "audio": "sendonly"}


async def test_what_was_said_last_is_kept_when_the_session_ends(api: Api, flashing: None) -> None:
    """A word whose utterance has not ended when a session is stopped is in its transcript, before the end."""
    session_id = await api.make_session("demo", pipelines=BOTH)
    live = api.server.live.find(session_id)
    assert live is not None

    async def speaking() -> bool:
        return bool((await api.session(session_id))["state"] == "live" and live.stats.audio_in > 70)

    await until_async(speaking)
    assert (await api.http.delete(f"/sessions/{session_id}")).status == 204

    async def told() -> bool:
        events = await api.events(session_id)
        return bool(events and events[-1]["kind"] == "session" and events[-1]["data"]["state"] == "ended")

    await until_async(told)
    assert "transcript" in [event["kind"] for event in await api.events(session_id)]


async def test_the_server_takes_recordings_too(api: Api) -> None:
    """In its own shape and in OpenAI's, by the recogniser that sessions use, which /health has tried."""
    body = wav(sound(0.5, 0.3, 0.5, 0.4, 0.7))
    heard = await (await api.http.post("/analyze/audio", data=body)).json()
    assert (heard["text"], heard["engine"]) == ("b3 b4", "beeps")
    form = FormData({"model": "whisper-1", "response_format": "text"})
    form.add_field("file", body, filename="clip.wav")
    assert (await (await api.http.post("/v1/audio/transcriptions", data=form)).text()).strip() == "b3 b4"

    async def tried() -> dict[str, Any]:
        check: dict[str, Any] = (await (await api.http.get("/health")).json())["checks"]["recogniser"]
        return check

    async def is_tried() -> bool:  # a report is kept for a moment
        return "model" in await tried()

    await until_async(is_tried)
    check = await tried()
    assert (check["model"], check["engine"], check["fallback"]) == ("beeps", "numpy", False)
