from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from server.app import Server, serve
from server.settings import Settings
from tests.fakes import BrightDetector, Camera
from tests.waiting import until
from tracks.errors import ModelUnavailable
from tracks.registry import TRACKERS, resolve


class Api:
    """A running server with a detector that finds bright rectangles, and a client of it."""

    def __init__(self, server: Server, http: TestClient[Any, Any]) -> None:
        self.server = server
        self.http = http

    async def make_session(self, **options: Any) -> str:
        source = await (await self.http.post("/sources", json={"kind": "webcam", "name": "desk"})).json()
        response = await self.http.post("/sessions", json={"sourceId": source["sourceId"], **options})
        assert response.status == 201, await response.text()
        body = await response.json()
        assert response.headers["Location"] == f"/sessions/{body['sessionId']}"
        return str(body["sessionId"])

    async def session(self, session_id: str) -> dict[str, Any]:
        body: dict[str, Any] = await (await self.http.get(f"/sessions/{session_id}")).json()
        return body

    async def events(self, session_id: str, **query: str) -> list[dict[str, Any]]:
        body = await (await self.http.get(f"/sessions/{session_id}/events", params=query)).json()
        events: list[dict[str, Any]] = body["events"]
        return events


class Browser:
    """An aiortc peer that behaves like the page: a camera, both data channels, and the returned picture."""

    def __init__(self, api: Api, session_id: str, *, publish: bool = True) -> None:
        self.api = api
        self.session_id = session_id
        self.camera = Camera()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.publish = publish
        self.filming = asyncio.Event()
        self.filming.set()
        self.messages: list[dict[str, Any]] = []
        self.live: list[dict[str, Any]] = []
        self.pictures: list[int] = []
        self.location = ""
        self.channel: RTCDataChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> Browser:
        if self.publish:
            self.pc.addTransceiver(self.camera, "sendrecv")
        else:
            self.pc.addTransceiver("video", "recvonly")
        self.channel = self.pc.createDataChannel("events", protocol="vedette.v1")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))
        live = self.pc.createDataChannel("live", ordered=False, maxRetransmits=0)
        live.on("message", lambda text: self.live.append(json.loads(text)))
        self.pc.on("track", lambda track: self._spawn(self._watch(track)))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        response = await self.api.http.post(
            f"/sessions/{self.session_id}/offer", json={"sdp": self.pc.localDescription.sdp, "type": "offer"}
        )
        assert response.status == 201, await response.text()
        answer = await response.json()
        self.location = response.headers["Location"]
        assert self.location == f"/sessions/{self.session_id}/peers/{answer['peerId']}"
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        if self.publish:
            self._spawn(self._film())
        return self

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.pc.close()

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in [*self.messages, *self.live] if message.get("kind") == kind]

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.ensure_future(work))

    async def _film(self) -> None:
        n = 0
        while await self.filming.wait():
            self.camera.show(n * 3000, x=100 + n % 400)
            n += 1
            await asyncio.sleep(1 / 30)

    async def _watch(self, track: Any) -> None:
        while True:
            frame = await track.recv()
            self.pictures.append(frame.pts)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """ultralytics takes many seconds to import, during which nothing else in the process gets far."""
    resolve(TRACKERS["bytetrack"])


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    settings = Settings(data_dir=tmp_path, session_linger_s=1.5, pending_peer_timeout_s=1.0)
    serving = serve(settings, load=lambda choice, **options: BrightDetector())
    async with serving as server, TestClient(TestServer(server.app)) as http:
        yield Api(server, http)


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    browsers: list[Browser] = []
    yield browsers
    for browser in browsers:
        await browser.close()


async def problem(response: ClientResponse) -> tuple[int, str, str]:
    body = (await response.json())["error"]
    return response.status, body["code"], body["message"]


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


async def test_a_publisher_returns_to_its_session(api: Api, browsers: list[Browser]) -> None:
    """After a reconnect the session is live again, track numbers go on, and missed events are sent again."""
    session_id = await api.make_session()
    first = await Browser(api, session_id).connect()
    await until(lambda: first.kinds("object"))
    await first.close()
    await until_async(lambda: has_state(api, session_id, "stalled"))
    second = Browser(api, session_id)
    browsers.append(second)
    await second.connect()
    await until(lambda: second.messages)
    assert second.channel is not None
    second.channel.send(json.dumps({"type": "attach", "id": "again", "after": 0}))
    await until_async(lambda: has_state(api, session_id, "live"))
    await until(lambda: second.pictures and second.pictures[-1] > 0)
    await until(lambda: any(message.get("seq") == 1 and message.get("kind") for message in second.messages))

    # At least once: what came between `attached` and `attach` is sent again, in its place among the others.
    def seqs() -> set[int]:
        return {message["seq"] for message in second.messages if message.get("seq") and message.get("kind")}

    await until(lambda: seqs() == set(range(1, max(seqs()) + 1)))


async def test_a_camera_that_goes_dark_stalls_the_session(
    api: Api, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without frames a live session is stalled, though its peer is still there; with the next ones it is live again."""
    monkeypatch.setattr("server.session.STALL_S", 0.5)
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


async def test_a_second_publisher_takes_over(api: Api, browsers: list[Browser]) -> None:
    """There is one publisher at a time: the newer one wins and the older peer is closed."""
    session_id = await api.make_session()
    first, second = Browser(api, session_id), Browser(api, session_id)
    browsers += [first, second]
    await first.connect()
    await until(lambda: first.pictures)
    await second.connect()
    await until(lambda: first.pc.connectionState == "closed" and second.pictures)
    assert (await api.session(session_id))["state"] == "live"


async def test_a_viewer_sees_the_publishers_picture(api: Api, browsers: list[Browser]) -> None:
    """A peer that only receives gets the annotated picture and the events, and its going changes nothing."""
    session_id = await api.make_session()
    publisher, viewer = Browser(api, session_id), Browser(api, session_id, publish=False)
    browsers += [publisher, viewer]
    await publisher.connect()
    await viewer.connect()
    await until(lambda: len(viewer.pictures) > 10 and viewer.messages)
    assert viewer.messages[0]["role"] == "viewer"
    assert (await api.http.delete(viewer.location)).status == 204
    await until(lambda: viewer.pc.connectionState == "closed")
    count = len(publisher.pictures)
    await until(lambda: len(publisher.pictures) > count + 10)


async def test_stop_over_the_data_channel_ends_the_session(api: Api, browsers: list[Browser]) -> None:
    """A command is answered before the session goes."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.messages)
    assert browser.channel is not None
    browser.channel.send(json.dumps({"type": "command", "id": "x", "name": "stop"}))
    await until(lambda: any(message.get("type") == "reply" and message["ok"] for message in browser.messages))
    await until_async(lambda: has_state(api, session_id, "ended"))


async def test_a_half_open_offer_is_reclaimed(api: Api) -> None:
    """A peer that was answered and never connects is closed, with its sockets."""
    session_id = await api.make_session()
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("video", "sendrecv")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    response = await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": sdp, "type": "offer"})
    assert response.status == 201
    assert (await api.session(session_id))["peers"] == 1
    await until_async(lambda: no_peers(api, session_id))


async def test_trickled_candidates_are_taken(api: Api, browsers: list[Browser]) -> None:
    """PATCH takes candidates as browsers give them, and refuses what is none."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    good = {
        "candidate": "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host",
        "sdpMid": "0",
        "sdpMLineIndex": 0,
        "usernameFragment": "abcd",
    }
    await until(lambda: browser.pictures)
    body = {"candidates": [good], "end": True}
    assert (await api.http.patch(browser.location, json=body)).status == 204
    bad = {"candidates": [{"candidate": "candidate:nonsense", "sdpMid": "0"}]}
    assert (await problem(await api.http.patch(browser.location, json=bad)))[:2] == (400, "invalid_request")
    many = {"candidates": [good] * 21}
    assert (await problem(await api.http.patch(browser.location, json=many)))[:2] == (503, "overloaded")
    assert (await api.http.delete(browser.location)).status == 204
    assert (await problem(await api.http.delete(browser.location)))[:2] == (404, "not_found")


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


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
async def test_an_offer_that_is_none_is_refused(api: Api, sdp: str) -> None:
    """Garbage is a clear error, and leaves no peer behind."""
    session_id = await api.make_session()
    response = await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": sdp, "type": "offer"})
    status, code, _ = await problem(response)
    assert (status, code) in [(400, "invalid_request"), (415, "unsupported_media")]
    assert (await api.session(session_id))["peers"] == 0


async def test_other_kinds_of_source_are_refused_by_name(api: Api) -> None:
    """A kind that this server does not have is an error that names those it has."""
    status, code, message = await problem(await api.http.post("/sources", json={"kind": "telepathy"}))
    assert (status, code) == (400, "invalid_request")
    assert "webcam" in message


async def test_events_are_paged(api: Api, browsers: list[Browser]) -> None:
    """`after`, `limit` and `next` walk through all events; `kind` filters; what is malformed is named."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object"))
    page = await (await api.http.get(f"/sessions/{session_id}/events", params={"limit": "2"})).json()
    assert [event["seq"] for event in page["events"]] == [1, 2]
    assert page["next"] == 2
    assert {event["kind"] for event in await api.events(session_id, kind="session,object")} == {"session", "object"}
    for query in ({"limit": "x"}, {"limit": "0"}, {"kind": "gossip"}, {"since": "noon"}, {"page": "1"}):
        response = await api.http.get(f"/sessions/{session_id}/events", params=query)
        assert (await problem(response))[:2] == (400, "invalid_request")


async def test_a_model_that_cannot_be_had_is_an_event(tmp_path: Path, browsers: list[Browser]) -> None:
    """Without a detector the camera still comes back, and an `error` event says why there are no boxes."""

    def load(choice: str, **options: Any) -> BrightDetector:
        raise ModelUnavailable("weights are gone")

    async with serve(Settings(data_dir=tmp_path), load=load) as server, TestClient(TestServer(server.app)) as http:
        api = Api(server, http)
        session_id = await api.make_session()
        browser = Browser(api, session_id)
        browsers.append(browser)
        await browser.connect()
        await until(lambda: browser.pictures and browser.kinds("error"))
        assert browser.kinds("error")[0]["data"] == {"code": "model_unavailable", "message": "weights are gone"}
        assert len(browser.kinds("error")) == 1
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


async def has_state(api: Api, session_id: str, state: str) -> bool:
    return bool((await api.session(session_id))["state"] == state)


async def no_peers(api: Api, session_id: str) -> bool:
    return bool((await api.session(session_id))["peers"] == 0)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)
