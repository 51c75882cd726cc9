"""What is not taken by WHIP and WHEP: every status of the standards, with its stable code."""

from __future__ import annotations

import pytest

from tests.server.clients import Api, has_state, problem, until_async
from tests.server.whip_peers import OFFERS, PLAYER, SDP, Whip

REFUSED = {
    "another type": ("", {"Content-Type": "application/json"}, 415, "unsupported_media"),
    "no SDP": ("hello", SDP, 400, "invalid_request"),
    "no UTF-8": (b"v=0\xff", SDP, 400, "invalid_request"),
    "too long": ("v=0\r\n" + "a=x\r\n" * 20_000, SDP, 413, "payload_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("endpoint", ["whip", "whep", "/whip"])
async def test_what_is_no_offer_is_refused(api: Api, endpoint: str, name: str) -> None:
    """415, 400 and 413, with a stable code; nothing is made of it."""
    body, headers, status, code = REFUSED[name]
    session_id = await api.make_session(kind="demo" if endpoint == "whep" else "webcam")
    if endpoint == "whep":
        await until_async(lambda: has_state(api, session_id, "live"))
    path = endpoint if endpoint.startswith("/") else f"/sessions/{session_id}/{endpoint}"
    assert (await problem(await api.http.post(path, data=body, headers=headers)))[:2] == (status, code)
    assert len((await (await api.http.get("/sessions")).json())["sessions"]) == 1


def changed(name: str, old: str, new: str) -> str:
    text = (OFFERS / f"{name}.sdp").read_text()
    assert old in text
    return text.replace(old, new)


UNFIT = {
    "codecs": (changed("obs", "H264/90000", "AV1/90000"), "no video codec in common: offered AV1, have: VP8, H264"),
    "a player": (changed("obs", "a=sendonly", "a=recvonly"), "a WHIP client sends"),
    "two pictures": (
        changed("ffmpeg", "m=audio", "m=video").replace("opus/48000/2", "VP8/90000"),
        "2 sections of video",
    ),
    "data channels": (
        changed("obs", "BUNDLE 0 1", "BUNDLE 0 1 2")
        + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:2\na=sctp-port:5000\n",
        "data channels are offered",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
async def test_an_offer_that_does_not_fit_is_refused_whole(api: Api, name: str) -> None:
    """422, and the message says what would be taken."""
    sdp, message = UNFIT[name]
    session_id = await api.make_session()
    status, code, said = await problem(await Whip(api, f"/sessions/{session_id}/whip").post(sdp))
    assert (status, code) == (422, "unprocessable")
    assert message in said
    assert (await api.session(session_id))["peers"] == 0


async def test_sound_alone_does_not_fit_a_session_that_only_looks(api: Api) -> None:
    """422; `/whip` makes a session that listens of the same offer."""
    text = (OFFERS / "obs.sdp").read_text().replace("BUNDLE 0 1", "BUNDLE 0")
    sound = text[: text.index("m=video")]
    session_id = await api.make_session(pipelines=["vision"])
    refused = await problem(await Whip(api, f"/sessions/{session_id}/whip").post(sound))
    assert refused[:2] == (422, "unprocessable")
    response = await Whip(api, "/whip?name=radio").post(sound)
    assert response.status == 201
    assert (await api.session(response.headers["Vedette-Session"]))["pipelines"] == ["audio"]


async def test_nobody_publishes_to_what_the_server_plays(api: Api) -> None:
    """409."""
    session_id = await api.make_session(kind="demo")
    offer = (OFFERS / "obs.sdp").read_text()
    assert (await problem(await Whip(api, f"/sessions/{session_id}/whip").post(offer)))[:2] == (409, "conflict")


async def test_what_is_not_live_cannot_be_played_yet(api: Api) -> None:
    """409 with Retry-After before there is a picture; 404 for what there never was."""
    session_id = await api.make_session()
    response = await Whip(api, f"/sessions/{session_id}/whep").post(PLAYER)
    assert response.headers["Retry-After"] == "2"
    assert (await problem(response))[:2] == (409, "conflict")
    assert (await problem(await Whip(api, "/sessions/none/whep").post(PLAYER)))[:2] == (404, "not_found")
