"""Starting, attaching, coming back, and changing over from WebRTC and to it."""

from __future__ import annotations

import base64

import pytest
from aiohttp import WSServerHandshakeError

from server.roles import Role
from tests.server.clients import Browser, until_async
from tests.server.stream.client import PROTOCOL, Stream, jpeg
from tests.server.stream.conftest import Connect, Place
from tests.waiting import until

NOWHERE = "019a0000-0000-7000-8000-000000000000"


async def film(it: Stream, first: float, count: int, x: int = 100) -> None:
    """Send pictures of something that moves, each after the answer to the one before."""
    for number in range(count):
        ts = first + number / 15
        await it.image(ts, jpeg(x + 4 * number))
        await until(lambda ts=ts: ts in it.outcomes())  # type: ignore[misc]


async def test_started_comes_first_and_every_event_after_it(place: Place, client: Connect) -> None:
    """With the ids, the role, the limits; then stored events from 1 on without a gap."""
    it = await client()
    started = await it.start(pipelines=["vision", "audio"])
    assert it.messages[0] is started
    assert started["role"] == "publisher"
    assert started["limits"] == {"maxBytes": 2 << 20, "inFlight": 2, "audioRates": [8000, 16000, 48000]}
    session = await place.session(started["sessionId"])
    assert session["sourceId"] == started["sourceId"]
    assert session["pipelines"] == ["vision", "audio"]
    await film(it, 0.0, 8)
    await until(lambda: it.kinds("object"))
    await until(lambda: len(it.seqs()) >= 4)
    assert it.seqs() == list(range(1, len(it.seqs()) + 1))
    assert session["peers"] == 1


async def test_a_watcher_gets_what_it_missed_and_then_what_follows(client: Connect) -> None:
    """Every stored event above `after`, in order, each once; only the kinds that it asked for."""
    publisher, watcher, picky = await client(), await client(), await client()
    session_id = (await publisher.start())["sessionId"]
    await film(publisher, 0.0, 8)
    await until(lambda: publisher.kinds("object"))
    attached = await watcher.ask(type="attach", id="a", sessionId=session_id, after=2)
    assert attached == watcher.messages[0]
    assert (attached["role"], attached["state"], attached["sessionId"]) == ("viewer", "live", session_id)
    await picky.ask(type="attach", id="a", sessionId=session_id, kinds=["object", "metric"])
    await film(publisher, 1.0, 3)
    await until(lambda: watcher.seqs() == [seq for seq in publisher.seqs() if seq > 2])
    await until(lambda: [each for each in watcher.kinds("detection") if each["seq"] is None])
    await until(lambda: picky.kinds("object") and picky.kinds("metric"))
    assert {each["kind"] for each in picky.messages if "kind" in each} == {"object", "metric"}


async def test_the_query_equals_a_first_attach(client: Connect) -> None:
    """For clients that would rather not say anything."""
    publisher = await client()
    session_id = (await publisher.start())["sessionId"]
    await film(publisher, 0.0, 8)
    await until(lambda: publisher.kinds("object"))
    it = await client(f"?sessionId={session_id}&after=1&kinds=session,object")
    await until(lambda: it.kinds("object"))
    assert it.messages[0]["type"] == "attached"
    assert {each["kind"] for each in it.messages[1:]} == {"session", "object"}
    assert it.seqs()[0] > 1


@pytest.mark.parametrize("query", ["?after=1", "?sessionId=a b", "?page=1", "?sessionId=x&after=-1"])
async def test_a_query_that_makes_no_sense_is_refused_before_the_handshake(client: Connect, query: str) -> None:
    """HTTP 400: whoever writes a query sees the answer."""
    with pytest.raises(WSServerHandshakeError) as refused:
        await client(query)
    assert refused.value.status == 400


async def test_a_publisher_that_comes_back_goes_on_where_it_was(place: Place, client: Connect) -> None:
    """The same session, events from its last seq on, media time by its own clock, track ids that go on."""
    before = await client()
    session_id = (await before.start())["sessionId"]
    await film(before, 100.0, 8)
    await until(lambda: before.kinds("object"))
    await before.close()
    await until_async(lambda: state_is(place, session_id, "stalled"))
    again = await client()
    attached = await again.ask(type="attach", id="a", sessionId=session_id, after=before.seqs()[-1], publish=True)
    assert attached["role"] == "publisher"
    await film(again, 100.6, 4, x=132)
    await until(lambda: len(again.seqs()) >= 2)
    assert again.seqs() == list(range(before.seqs()[-1] + 1, again.seqs()[-1] + 1))
    seen = again.kinds("detection")
    assert [each["mediaTime"] for each in seen] == pytest.approx([0.6, 0.667, 0.733, 0.8], abs=0.002)
    assert {each["data"]["objects"][0]["trackId"] for each in seen} == {1}
    assert (await place.session(session_id))["state"] == "live"


async def test_a_session_that_nobody_returns_to_ends(place: Place, client: Connect) -> None:
    """It outlives its publisher for a while; who attaches later reads what it has left, and is closed with 1000."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    await film(it, 0.0, 2)
    await it.close()
    await until_async(lambda: state_is(place, session_id, "ended"))
    late = await client()
    attached = await late.ask(type="attach", id="a", sessionId=session_id, publish=True)
    assert (attached["state"], attached["role"]) == ("ended", "viewer")
    assert await late.closed() == 1000
    assert late.seqs() == list(range(1, attached["seq"] + 1))
    assert late.kinds("session")[-1]["data"]["reason"] == "no publisher for 1.5 s"


async def test_a_browser_watches_what_comes_over_the_socket(
    place: Place, client: Connect, browsers: list[Browser]
) -> None:
    """One session, whatever the transport: the picture with its boxes, and the same events."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    viewer = Browser(place, session_id, publish=False)
    browsers.append(viewer)
    await viewer.connect()
    await until(lambda: viewer.messages)
    assert viewer.messages[0]["role"] == "viewer"
    ts = 0.0
    while not (viewer.pictures and viewer.live_kinds("detection") and viewer.kinds("object")):
        ts += 1 / 15
        await it.image(ts, jpeg(int(100 + ts * 60) % 500))
        await until(lambda ts=ts: ts in it.outcomes())  # type: ignore[misc]
    assert viewer.live_kinds("detection")[0]["data"]["frameTs"] in it.outcomes()


async def test_the_socket_watches_what_comes_from_a_browser(
    place: Place, client: Connect, browsers: list[Browser]
) -> None:
    """A session that was started over REST and is filmed over WebRTC."""
    session_id = await place.make_session()
    browser = Browser(place, session_id)
    browsers.append(browser)
    await browser.connect()
    it = await client(f"?sessionId={session_id}")
    await until(lambda: it.kinds("object") and [each for each in it.kinds("detection") if each["seq"] is None])
    assert it.seqs() == list(range(1, len(it.seqs()) + 1))


async def test_who_falls_back_from_webrtc_keeps_session_tracks_and_place(
    place: Place, client: Connect, browsers: list[Browser]
) -> None:
    """A socket takes over from the same person's peer, and WebRTC again from the socket."""
    session_id = await place.make_session(profile="accurate")
    browser = Browser(place, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object") and len(browser.live_kinds("detection")) > 20)
    track = browser.live_kinds("detection")[-1]["data"]["objects"][0]["trackId"]
    last = browser.kinds("detection")[-1]
    seq = max(each["seq"] for each in browser.messages if each.get("seq"))
    x = round(last["data"]["objects"][0]["box"][0])
    it = await client()
    await it.ask(type="attach", id="a", sessionId=session_id, after=seq, publish=True)
    await film(it, 7.0, 18, x=x)
    await until(lambda: browser.pc.connectionState == "closed")
    await until(it.seqs)
    assert it.seqs() == list(range(seq + 1, it.seqs()[-1] + 1))
    seen = it.kinds("detection")
    assert {each["data"]["objects"][0]["trackId"] for each in seen} == {track}
    assert all(each["mediaTime"] >= last["mediaTime"] for each in seen)
    back = Browser(place, session_id)
    browsers.append(back)
    await back.connect()
    assert await it.closed() == 4409
    await until(lambda: back.live_kinds("detection"))


async def test_who_sent_faster_than_real_time_hands_over_to_webrtc(
    place: Place, client: Connect, browsers: list[Browser]
) -> None:
    """Media time goes on where the file was that a client had sent; nothing of the session is earlier."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    for ts in (0.0, 30.0, 60.0):
        await it.image(ts)
        await until(lambda ts=ts: ts in it.outcomes())  # type: ignore[misc]
    browser = Browser(place, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: len(browser.live_kinds("detection")) > 3)
    later = [each for each in browser.messages + browser.live if each.get("kind")]
    assert all(60 <= each["mediaTime"] < 90 for each in later)


async def test_another_clock_is_placed_by_its_arrival(place: Place, client: Connect) -> None:
    """A page that was loaded anew counts from zero again: media time does not go back."""
    it, again = await client(), await client()
    session_id = (await it.start())["sessionId"]
    await film(it, 5000.0, 3)
    await again.ask(type="attach", id="a", sessionId=session_id, publish=True)
    await film(again, 0.0, 2)
    times = [each["mediaTime"] for each in it.kinds("detection") + again.kinds("detection") if each["seq"] is None]
    assert times == sorted(times)
    assert times[-1] < 60


async def test_the_second_publisher_takes_over_from_itself_and_from_nobody_else(place: Place, client: Connect) -> None:
    """With the same token, or on the same machine, the new one wins; another is refused. Both are told to attach."""
    mine, yours = place.bearer(Role.OPERATOR, "mine"), place.bearer(Role.OPERATOR, "yours")
    first = await client(headers=mine)
    session_id = (await first.start())["sessionId"]
    stranger = await client(headers=yours)
    await stranger.say(type="attach", id="a", sessionId=session_id, publish=True)
    assert await stranger.closed() == 4409
    assert stranger.messages[-1]["error"]["code"] == "conflict"
    second = await client(headers=mine)
    await second.ask(type="attach", id="a", sessionId=session_id, publish=True)
    assert await first.closed() == 4409
    told = [message["error"]["message"] for message in first.messages if message.get("type") == "error"]
    assert told == ["another publisher took over"]
    await film(second, 1.0, 2)
    assert (await place.session(session_id))["state"] == "live"


async def test_the_last_frames_are_told_before_another_takes_over(place: Place, client: Connect) -> None:
    """What the detector had not looked at yet is lost, and named."""
    first, second = await client(), await client()
    session_id = (await first.start())["sessionId"]
    place.detector.gate.clear()
    place.detector.entered.clear()
    await first.image(1.0)
    await until(place.detector.entered.is_set)
    await first.image(2.0)
    await second.ask(type="attach", id="a", sessionId=session_id, publish=True)
    await first.closed()
    assert first.outcomes() == {1.0: ["dropped"], 2.0: ["dropped"]}


async def test_a_source_of_the_servers_own_is_watched(
    client: Connect, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`start` on it makes a session whose viewer the client is; nobody can publish to it."""
    from tracks.registry import SOURCES

    monkeypatch.setitem(SOURCES, "demo", "tests.fakes:open_film")  # type: ignore[arg-type]
    source = await (await place.http.post("/sources", json={"kind": "demo"})).json()
    it, other = await client(), await client()
    started = await it.start(sourceId=source["sourceId"])
    assert started["role"] == "viewer"
    await until(lambda: it.kinds("object"))
    await other.say(type="attach", id="a", sessionId=started["sessionId"], publish=True)
    assert await other.closed() == 4409
    await it.close()
    await until_async(lambda: state_is(place, started["sessionId"], "ended"))


async def test_a_viewers_token_may_attach_and_ping_and_nothing_else(place: Place, client: Connect) -> None:
    """Starting and publishing close with 4403, a command is refused in its reply."""
    viewer = place.bearer(Role.VIEWER)
    publisher = await client()
    session_id = (await publisher.start())["sessionId"]
    it = await client(headers=viewer)
    assert (await it.ask(type="attach", id="a", sessionId=session_id))["role"] == "viewer"
    assert (await it.ask(type="ping", id="p"))["type"] == "pong"
    for name in ("pause", "stop", "set", "snapshot"):
        assert (await it.command(name))["error"]["code"] == "forbidden"
    assert (await it.command("fly"))["error"]["code"] == "invalid_request"
    assert (await it.ask(type="end", id="e"))["ok"] is True
    assert await it.closed() == 1000
    for message in ({"type": "start"}, {"type": "attach", "sessionId": session_id, "publish": True}):
        refused = await client(headers=viewer)
        await refused.say(**message)
        assert await refused.closed() == 4403
        assert refused.messages[-1]["error"]["code"] == "forbidden"
    assert (await place.session(session_id))["state"] == "connecting"


async def test_the_protocol_is_echoed_and_the_token_is_not(place: Place, client: Connect) -> None:
    """A page sends its token as a second subprotocol."""
    secret = place.bearer(Role.VIEWER)["Authorization"].removeprefix("Bearer ")
    token = "bearer." + base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    it = await client(protocols=(PROTOCOL, token))
    assert it.socket.protocol == PROTOCOL
    await it.say(type="start")
    assert await it.closed() == 4403


@pytest.mark.parametrize("protocols", [("vedette.v2",), ("bearer.aGFsbG8",)])
async def test_another_protocol_is_refused(
    client: Connect, protocols: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Before the handshake, and without a word of a token in the log."""
    with pytest.raises(WSServerHandshakeError) as refused:
        await client(protocols=protocols)
    assert refused.value.status == 400
    assert "aGFsbG8" not in caplog.text


async def test_a_foreign_page_is_refused_before_the_handshake(client: Connect) -> None:
    """Origin and Host, as everywhere: HTTP 403."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client(headers=headers)
        assert refused.value.status == 403


async def test_a_traceparent_is_taken_in_any_message(client: Connect) -> None:
    """As everywhere, and not echoed."""
    it = await client()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert await it.ask(type="ping", id="p", trace=trace) == {"type": "pong", "id": "p", "at": it.messages[0]["at"]}


async def test_a_second_attach_is_refused_and_the_first_goes_on(client: Connect) -> None:
    """One connection, one session."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    refused = await it.ask(type="attach", id="a", sessionId=session_id)
    assert (refused["type"], refused["fatal"], refused["error"]["code"]) == ("error", False, "conflict")
    await film(it, 0.0, 1)


async def test_many_watchers_see_the_same(client: Connect, place: Place) -> None:
    """Any number of watchers: each gets every stored event."""
    publisher = await client()
    session_id = (await publisher.start())["sessionId"]
    watchers = [await client(f"?sessionId={session_id}&kinds=session,object") for _ in range(50)]
    await film(publisher, 0.0, 8)
    await until(lambda: publisher.kinds("object"))
    await until(lambda: all(it.kinds("object") for it in watchers))
    assert (await place.session(session_id))["peers"] == 51


async def state_is(place: Place, session_id: str, state: str) -> bool:
    return bool((await place.session(session_id))["state"] == state)


async def test_what_is_not_an_event_is_a_control_message(client: Connect) -> None:
    """Everything from the server has either a kind or a type."""
    it = await client()
    await it.start()
    await it.ask(type="ping", id="p")
    await it.image(1.0, b"")
    await film(it, 2.0, 2)
    assert all(("kind" in each) != ("type" in each) for each in it.messages)
