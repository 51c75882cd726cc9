from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.settings import IceServer, Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr
from tests.server.clients import Api, Browser, has_state, problem, until_async
from tests.waiting import until
from tracks.errors import ModelUnavailable


@pytest.fixture
def api(api_on_both: Api) -> Api:
    """What is here holds on SQLite and on Postgres."""
    return api_on_both


def beeps(choice: str, **options: Any) -> BeepAsr:
    """A recogniser that loads at once."""
    return BeepAsr()


async def test_a_camera_comes_back_annotated_with_events_beside_it(api: Api, browsers: list[Browser]) -> None:
    """The whole way: offer, picture back, attached, live boxes that meet the picture, stored events in order."""
    session_id = await api.make_session(pipelines=["vision"], profile="fast", overlay="smooth")
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.pictures) > 30 and len(browser.kinds("object")) > 0)
    attached = browser.messages[0]
    assert attached["type"] == "attached"
    assert attached["sessionId"] == session_id
    assert attached["role"] == "publisher"
    assert set(attached["rtpOrigin"]) == {"0"}
    entered = browser.kinds("object")[0]
    assert entered["data"]["phase"] == "entered"
    assert entered["data"]["label"] == "bright"
    seen = [event for event in browser.live if event["kind"] == "detection" and event["data"]["objects"]]
    assert seen
    assert all(event["seq"] is None for event in browser.live)
    # One publisher's RTP clock and the session's video clock tick alike: their difference is constant.
    offsets = {(event["data"]["sourceRtpTime"] - event["data"]["rtpTime"]) % 2**32 for event in seen}
    assert len(offsets) == 1
    stored = [message["seq"] for message in browser.messages if message.get("seq") and message.get("kind")]
    assert stored == list(range(attached["seq"] + 1, attached["seq"] + 1 + len(stored)))
    assert (await api.session(session_id))["state"] == "live"
    events = await api.events(session_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    states = [event["data"]["state"] for event in events if event["kind"] == "session"]
    assert states == ["connecting", "live"]
    one = await (await api.http.get(f"/events/{entered['id']}")).json()
    assert one == entered


async def test_delete_of_a_session_ends_it_for_everyone(api: Api, browsers: list[Browser]) -> None:
    """Peers are closed, what was in the picture has left, the state is kept; a second delete is the same."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object"))
    assert (await api.http.delete(f"/sessions/{session_id}")).status == 204
    await until(lambda: browser.pc.connectionState == "closed")
    assert browser.kinds("session")[-1]["data"] == {"state": "ended", "reason": "stopped by a client"}
    assert browser.kinds("object")[-1]["data"]["phase"] == "left"
    session = await api.session(session_id)
    assert session["state"] == "ended"
    assert session["reason"] == "stopped by a client"
    assert session["endedAt"] is not None

    async def told_all() -> bool:
        phases = [event["data"]["phase"] for event in await api.events(session_id, kind="object")]
        return phases[:1] == ["entered"] and phases[-1:] == ["left"]

    await until_async(told_all)
    assert (await api.http.delete(f"/sessions/{session_id}")).status == 204
    assert (await problem(await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": "", "type": "offer"})))[
        :2
    ] == (409, "conflict")


async def test_a_session_outlives_its_publisher_for_a_while(api: Api, browsers: list[Browser]) -> None:
    """Without its publisher a session is stalled, and ends when nobody returns."""
    session_id = await api.make_session()
    browser = await Browser(api, session_id).connect()
    await until(lambda: browser.pictures)
    await browser.close()
    await until_async(lambda: has_state(api, session_id, "stalled"))
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"] == "no publisher for 1.5 s"


async def test_a_camera_that_goes_dark_stalls_the_session(
    api: Api, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without frames a live session is stalled, though its peer is still there; with the next ones it is live again."""
    monkeypatch.setattr("server.pulse.STALL_S", 0.5)
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until_async(lambda: has_state(api, session_id, "live"))
    browser.filming.clear()
    await until_async(lambda: has_state(api, session_id, "stalled"))
    assert (await api.session(session_id))["reason"] == "no picture for 0.5 s"
    browser.filming.set()
    await until_async(lambda: has_state(api, session_id, "live"))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"sourceId": "{source}", "pipelines": ["smell"]}, "unknown pipeline 'smell', have: vision"),
        ({"sourceId": "{source}", "profile": "ludicrous"}, "unknown profile 'ludicrous', have: accurate, auto"),
        ({"sourceId": "{source}", "overlay": "none"}, "overlay"),
        ({"sourceId": "{source}", "pipelines": []}, "pipelines is empty"),
        ({"sourceId": "{source}", "classes": ["persn"]}, "unknown class 'persn', have: dark, bright"),
        ({"sourceId": "{source}", "colour": 1}, "colour"),
        ({}, "sourceId"),
    ],
)
async def test_a_session_that_cannot_be_is_refused(api: Api, body: dict[str, Any], says: str) -> None:
    """Unknown names are errors that name the value and the choices."""
    await api.server.ready
    source = await (await api.http.post("/sources", json={"kind": "webcam"})).json()
    text = json.dumps(body).replace("{source}", source["sourceId"])
    response = await api.http.post("/sessions", data=text, headers={"Content-Type": "application/json"})
    status, code, message = await problem(response)
    assert (status, code) == (400, "invalid_request")
    assert says in message


async def test_unknown_things_are_not_found(api: Api) -> None:
    """Every id is looked up, and a missing one is named."""
    nowhere = "019a0000-0000-7000-8000-000000000000"
    post = await api.http.post("/sessions", json={"sourceId": nowhere})
    offer = await api.http.post(f"/sessions/{nowhere}/offer", json={"sdp": "v=0", "type": "offer"})
    for response in [
        post,
        offer,
        await api.http.get(f"/sessions/{nowhere}"),
        await api.http.delete(f"/sessions/{nowhere}"),
        await api.http.get(f"/sessions/{nowhere}/events"),
        await api.http.get(f"/events/{nowhere}"),
        await api.http.get(f"/sources/{nowhere}"),
        await api.http.delete(f"/sources/{nowhere}"),
        await api.http.patch(f"/sessions/{nowhere}/peers/x", json={}),
    ]:
        assert (await problem(response))[:2] == (404, "not_found")


async def test_other_kinds_of_source_are_refused_by_name(api: Api) -> None:
    """A kind that this server does not have is an error that names those it has."""
    status, code, message = await problem(await api.http.post("/sources", json={"kind": "telepathy"}))
    assert (status, code) == (400, "invalid_request")
    assert "webcam" in message


async def test_a_source_can_be_renamed_and_removed(api: Api) -> None:
    """Its new name is in its sessions, too; removed, it ends them, and a second removal changes nothing."""
    session_id = await api.make_session()
    source = f"/sources/{(await api.session(session_id))['sourceId']}"
    changed = await api.http.patch(source, json={"name": "Back door"})
    assert (changed.status, await changed.json()) == (200, await (await api.http.get(source)).json())
    assert (await api.session(session_id))["source"]["name"] == "Back door"
    for wrong in ({}, {"name": ""}, {"name": None}, {"kind": "demo"}):
        assert (await problem(await api.http.patch(source, json=wrong)))[:2] == (400, "invalid_request")
    for _ in range(2):
        assert (await api.http.delete(source)).status == 204
    assert (await api.session(session_id))["reason"] == "source removed"
    assert (await problem(await api.http.patch(source, json={"name": "x"})))[:2] == (404, "not_found")


async def test_events_are_paged(api: Api, browsers: list[Browser]) -> None:
    """`after`, `limit` and `next` walk through all events; `kind` and `label` filter; what is malformed is named."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object"))
    page = await (await api.http.get(f"/sessions/{session_id}/events", params={"limit": "2"})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2]
    assert page["next"] == 2
    assert {event["kind"] for event in await api.events(session_id, kind="session,object")} == {"session", "object"}
    assert {event["kind"] for event in await api.events(session_id, label="bright")} >= {"object"}
    assert await api.events(session_id, label="dark") == []
    assert await api.events(session_id, q="nobody said that") == []
    for query in ({"limit": "x"}, {"limit": "0"}, {"kind": "gossip"}, {"since": "noon"}, {"page": "1"}, {"q": "?"}):
        response = await api.http.get(f"/sessions/{session_id}/events", params=query)
        assert (await problem(response))[:2] == (400, "invalid_request")


async def test_a_model_that_cannot_be_had_is_an_event(tmp_path: Path, browsers: list[Browser]) -> None:
    """Without a detector the camera still comes back, and an `error` event says why there are no boxes."""

    def load(choice: str, **options: Any) -> BrightDetector:
        raise ModelUnavailable("weights are gone")

    async with (
        serve(Settings(data_dir=tmp_path), load=load, load_asr=beeps) as server,
        TestClient(TestServer(server.app)) as http,
    ):
        api = Api(server, http)
        session_id = await api.make_session()
        browser = Browser(api, session_id)
        browsers.append(browser)
        await browser.connect()
        await until(lambda: browser.messages)
        assert browser.channel is not None
        # It may have happened before the channel was open.
        browser.channel.send(json.dumps({"type": "attach", "after": 0}))
        await until(lambda: browser.pictures and browser.kinds("error"))
        assert browser.kinds("error")[0]["data"] == {"code": "model_unavailable", "message": "weights are gone"}
        assert len({event["id"] for event in browser.kinds("error")}) == 1
        health = await http.get("/health")
        assert health.status == 503
        assert (await health.json())["checks"]["detector"]["status"] == "failed"


async def test_numbers_come_once_a_second(api: Api, browsers: list[Browser]) -> None:
    """`metric` events, `stats` and `/metrics` tell the same story."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.kinds("metric")) >= 2)
    numbers = browser.kinds("metric")[-1]["data"]
    assert numbers["fpsIn"] > 0
    assert numbers["fpsOut"] > 0
    assert numbers["memoryBytes"] > 0
    assert {"frame", "infer"} <= set(numbers["latencyMs"])
    stats = await (await api.http.get(f"/sessions/{session_id}/stats")).json()
    assert set(stats) == set(numbers)
    text = await (await api.http.get("/metrics")).text()
    assert session_id in text
    assert "vedette_stage_seconds" in text


async def test_who_connects_is_told_of_the_ice_servers(tmp_path: Path) -> None:
    """Whoever makes a session, and whoever looks one up to watch it, with the credentials that TURN needs."""
    turn = IceServer(urls=("turn:turn.example.org",), username="u", credential="c")
    settings = Settings(data_dir=tmp_path, ice_servers=(turn,))
    serving = serve(settings, load=lambda choice, **options: BrightDetector(), load_asr=beeps)
    async with serving as server, TestClient(TestServer(server.app)) as http:
        source = await (await http.post("/sources", json={"kind": "webcam"})).json()
        made = await (await http.post("/sessions", json={"sourceId": source["sourceId"]})).json()
        found = await (await http.get(f"/sessions/{made['sessionId']}")).json()
    expected = [{"urls": ["turn:turn.example.org"], "username": "u", "credential": "c"}]
    assert made["iceServers"] == found["iceServers"] == expected
