from __future__ import annotations

import json

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from tests.server.clients import Api, Browser, has_state, no_peers, problem, until_async
from tests.waiting import until


async def test_a_publisher_returns_to_its_session(api: Api, browsers: list[Browser]) -> None:
    """After a reconnect the session is live again, pts go on, and missed events are sent again."""
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
    assert (await api.http.delete(browser.location)).status == 204
    assert (await problem(await api.http.delete(f"{browser.location}0")))[:2] == (404, "not_found")


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "nonsense", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
async def test_an_offer_that_is_none_is_refused(api: Api, sdp: str) -> None:
    """Garbage is a clear error, and leaves no peer behind."""
    session_id = await api.make_session()
    response = await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": sdp, "type": "offer"})
    status, code, _ = await problem(response)
    assert (status, code) in [(400, "invalid_request"), (415, "unsupported_media")]
    assert (await api.session(session_id))["peers"] == 0
