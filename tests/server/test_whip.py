"""WHIP and WHEP as programs of others speak them: real peers and real offers, and what they are answered."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.fakes import Tone
from tests.server.clients import Api, has_state, until_async
from tests.server.whip_peers import OFFERS, PLAYER, Packets, Whip, published
from tests.waiting import until


async def test_what_comes_in_by_whip_is_watched_and_goes_out_by_whep(api: Api, whips: list[Whip]) -> None:
    """Picture and sound, seen and heard, annotated or raw; when the publisher has gone, the session is stalled."""
    publisher, viewer, raw = Whip(api, "/whip"), Whip(api, ""), Whip(api, "")
    whips += [publisher, viewer, raw]
    await publisher.publish(publisher.camera, Tone(), bare=True)
    publisher._spawn(publisher._film())
    session_id = publisher.response.headers["Vedette-Session"]
    await until_async(lambda: has_state(api, session_id, "live"))
    session = await api.session(session_id)
    assert (session["source"], session["pipelines"]) == ({"kind": "webcam", "name": "WHIP"}, ["vision", "audio"])
    viewer.path, raw.path = f"/sessions/{session_id}/whep", f"/sessions/{session_id}/whep?track=raw"
    await viewer.play(("video", "audio"))
    await raw.play(("video", "audio"))
    await until(lambda: len(viewer.pictures) > 10 and len(raw.pictures) > 10 and viewer.sound > 10)
    drawn, plain = (greens(peer.pictures[-1].to_ndarray(format="rgb24")) for peer in (viewer, raw))
    assert drawn > 50
    assert plain == 0
    assert (await api.http.delete(publisher.location)).status == 200
    await until_async(lambda: has_state(api, session_id, "stalled"))
    assert (await api.session(session_id))["reason"] == "publisher left: closed by the client"


def greens(picture: np.ndarray) -> int:
    """Pixels with a colour: the film is grey, and boxes are not."""
    return int(np.count_nonzero(np.ptp(picture.astype(np.int16), axis=2) > 60))


async def test_a_publisher_is_answered_as_the_rfc_has_it(api: Api, whips: list[Whip]) -> None:
    """201 with an address that nobody guesses, a strong ETag, and an answer that takes everything."""
    session_id = await api.make_session()
    peer = await published(api, whips, session_id)
    headers = peer.response.headers
    assert peer.response.content_type == "application/sdp"
    assert re.fullmatch(r"/whip/[0-9a-f]{36}", peer.location)
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["ETag"])
    assert headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    for line in ("a=rtcp-mux-only", "a=ice-options:trickle", "a=recvonly", "a=candidate:", "a=end-of-candidates"):
        assert f"\r\n{line}" in peer.answer
    assert "a=msid:" not in peer.answer


async def test_what_a_session_does_not_listen_to_is_received_all_the_same(api: Api, whips: list[Whip]) -> None:
    """No offer is taken in parts: a session without ears answers recvonly for the sound of OBS, and watches."""
    session_id = await api.make_session(pipelines=["vision"])
    peer = Whip(api, f"/sessions/{session_id}/whip")
    whips.append(peer)
    await peer.publish(peer.camera, Tone())
    peer._spawn(peer._film())
    assert peer.answer.count("a=recvonly\r\n") == 2
    await until_async(lambda: has_state(api, session_id, "live"))
    drops = (await (await api.http.get("/metrics")).text()).splitlines()
    assert not [line for line in drops if line.startswith("vedette_drops_total") and 'where="receiver"' in line]


@pytest.mark.parametrize("name", sorted(path.stem for path in OFFERS.glob("*.sdp")))
async def test_offers_of_real_clients_are_taken_whole(api: Api, name: str) -> None:
    """OBS, ffmpeg, GStreamer, a browser, and the RFC's own example: each section is received, with its codec."""
    offer = (OFFERS / f"{name}.sdp").read_text()
    session_id = await api.make_session(pipelines=["vision", "audio"])
    response = await Whip(api, f"/sessions/{session_id}/whip").post(offer)
    assert response.status == 201, await response.text()
    answer = await response.text()
    sections = re.findall(r"(?m)^m=(\w+) [1-9]", answer)
    assert sections == re.findall(r"(?m)^m=(\w+)", offer)
    assert answer.count("a=recvonly\r\n") == len(sections)
    assert answer.count("a=rtcp-mux-only\r\n") == len(sections)
    assert re.findall(r"(?m)^a=setup:(\w+)", answer) == ["active"] * len(sections)
    for profile in re.findall(r"profile-level-id=(\w+)", offer):
        assert f"profile-level-id={profile}" in answer
    assert (await api.http.delete(response.headers["Location"])).status == 200


@pytest.mark.parametrize(("b_frames", "profile", "offered"), [(0, "high", "640c1f"), (2, "main", "4d001f")])
async def test_every_profile_is_decoded_and_b_frames_are_told(
    api: Api, whips: list[Whip], b_frames: int, profile: str, offered: str
) -> None:
    """High and Main are seen, whatever aiortc knows of them; of B frames there is one error event, and a way out."""
    session_id = await api.make_session()
    peer = Whip(api, f"/sessions/{session_id}/whip")
    whips.append(peer)
    peer.profile = offered
    await peer.publish(Packets(b_frames=b_frames, profile=profile))
    assert f"profile-level-id={offered}" in peer.answer
    session = api.server.live.find(session_id)
    assert session is not None
    await until(lambda: session.stats.frames_in > 30)

    async def told() -> list[tuple[str, bool]]:
        found = [event["data"] for event in await api.events(session_id, kind="error")]
        return [(each["code"], "bframes=0" in each["message"]) for each in found]

    async def as_expected() -> bool:
        return await told() == ([("unsupported_media", True)] if b_frames else [])

    await until_async(as_expected)


async def test_who_comes_again_goes_on_where_they_were(api: Api, whips: list[Whip]) -> None:
    """The same token and name: the same session, and the connection before gives way; another name is another one."""
    first, second, other = Whip(api, "/whip"), Whip(api, "/whip"), Whip(api, "/whip?name=yard")
    whips += [first, second, other]
    await first.publish()
    await until(lambda: first.pc.connectionState == "connected")
    await second.publish()
    await other.publish()
    sessions = [peer.response.headers["Vedette-Session"] for peer in (first, second, other)]
    assert sessions[0] == sessions[1] != sessions[2]
    await until(lambda: [peer.pc.connectionState for peer in whips] == ["closed", "connected", "connected"])
    assert (await api.http.delete(first.location)).status == 404


async def test_a_player_is_answered_as_the_draft_has_it(api: Api, whips: list[Whip]) -> None:
    """Tracks of one stream, sendonly; a kind that there is none of is inactive."""
    session_id = await api.make_session()
    await published(api, whips, session_id)
    response = await Whip(api, f"/sessions/{session_id}/whep").post(PLAYER)
    assert response.status == 201
    assert re.fullmatch(r"/whep/[0-9a-f]{36}", response.headers["Location"])
    answer = await response.text()
    own, video, audio = re.split(r"(?m)^(?=m=)", answer)
    assert "a=sendonly\r\n" in video
    assert re.findall(r"a=msid:(\S+)", video) == ["vedette"]
    assert "a=inactive\r\n" in audio
    assert "a=msid:" not in audio
    assert "a=ice-options:trickle\r\n" in own
