"""Sessions whose picture the server has itself: nobody publishes, whoever wants to may look and listen."""

from __future__ import annotations

import statistics

import pytest

from tests.server.clients import Api, Browser, has_state, problem, until_async
from tests.waiting import until
from tracks.registry import SOURCES


@pytest.fixture
def film(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the real demo: a bright rectangle on its way, and a tone."""
    monkeypatch.setitem(SOURCES, "demo", "tests.fakes:open_film")  # type: ignore[arg-type]


async def test_a_viewer_sees_and_hears_what_the_server_plays(api: Api, browsers: list[Browser], film: None) -> None:
    """Without sending anything it gets the annotated picture, the sound, and the events from the first on."""
    session_id = await api.make_session("demo")
    viewer = Browser(api, session_id, publish=False, listen=True)
    browsers.append(viewer)
    await viewer.connect()
    await until(lambda: len(viewer.pictures) > 10 and len(viewer.loudness) > 10 and viewer.kinds("object"))
    # A tone at half scale, from one channel to two at equal power.
    assert statistics.median(viewer.loudness) == pytest.approx(0.5 / 2**0.5 / 2**0.5, rel=0.1)
    attached = viewer.messages[0]
    assert (attached["type"], attached["role"], set(attached["rtpOrigin"])) == ("attached", "viewer", {"0"})
    session = await api.session(session_id)
    assert (session["state"], session["source"]) == ("live", {"kind": "demo", "name": "desk"})
    seen = viewer.kinds("detection")[-1]
    # The clock's origin joins the wall clock with the picture's: it was taken a moment before it was told of.
    assert 0 <= seen["at"] - (attached["clockOrigin"] + seen["mediaTime"]) < 2
    assert seen["data"]["rtpTime"] / 90_000 == pytest.approx(seen["mediaTime"], abs=1)


async def test_it_runs_without_viewers(api: Api, film: None) -> None:
    """Events come though nobody has ever looked."""
    session_id = await api.make_session("demo")

    async def entered() -> bool:
        return bool(await api.events(session_id, kind="object"))

    await until_async(entered)
    assert (await api.session(session_id))["state"] == "live"


async def test_a_camera_is_not_taken_where_the_server_plays(api: Api, browsers: list[Browser], film: None) -> None:
    """A peer that offers to send is answered, and only receives."""
    session_id = await api.make_session("demo")
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.pictures) > 10 and browser.messages)
    assert browser.messages[0]["role"] == "viewer"
    assert browser.pc.getTransceivers()[0].currentDirection == "recvonly"


async def test_a_demo_ends_when_its_last_viewer_has_gone(api: Api, browsers: list[Browser], film: None) -> None:
    """It is only there to be looked at."""
    session_id = await api.make_session("demo")
    viewer = await Browser(api, session_id, publish=False).connect()
    await until(lambda: viewer.pictures)
    await viewer.close()
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"] == "no viewer for 1.5 s"


async def test_a_session_ends_with_its_source(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server plays may be over."""
    monkeypatch.setitem(SOURCES, "demo", "tests.fakes:open_short_film")  # type: ignore[arg-type]
    session_id = await api.make_session("demo")
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"] == "source ended"


async def test_a_source_that_cannot_be_opened_makes_no_session(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told, and nothing is left behind."""
    monkeypatch.setitem(SOURCES, "demo", "tests.fakes:open_nothing")  # type: ignore[arg-type]
    source = await (await api.http.post("/sources", json={"kind": "demo"})).json()
    refused = await api.http.post("/sessions", json={"sourceId": source["sourceId"]})
    assert await problem(refused) == (502, "source_unreachable", "the film is lost")
    assert (await (await api.http.get("/sessions")).json())["sessions"] == []


async def test_sessions_are_listed_newest_first(api: Api) -> None:
    """On request, page by page, with what they run on."""
    made = [await api.make_session() for _ in range(3)]

    async def page(**query: str) -> tuple[list[str], str | None]:
        body = await (await api.http.get("/sessions", params={"order": "newest", "limit": "2", **query})).json()
        assert all(session["source"] == {"kind": "webcam", "name": "desk"} for session in body["sessions"])
        return [session["sessionId"] for session in body["sessions"]], body["next"]

    first, after = await page()
    assert first == [made[2], made[1]]
    assert after is not None
    assert await page(after=after) == ([made[0]], None)
    assert (await problem(await api.http.get("/sessions?order=random")))[:2] == (400, "invalid_request")
    removed = (await api.session(made[0]))["sourceId"]
    assert (await api.http.delete(f"/sources/{removed}")).status == 204
    assert (await page(after=after))[0] == [made[0]]
