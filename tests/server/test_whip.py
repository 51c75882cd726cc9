"""WHIP and WHEP as programs of others speak them: real peers, real offers, every status of the standards."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.roles import Role
from server.settings import IceServer, Settings
from server.tokens import Tokens
from tests.fakes import BrightDetector, Tone
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, has_state, problem, until_async
from tests.server.whip_peers import FRAGMENT, SDP, Packets, Whip
from tests.waiting import until

OFFERS = Path(__file__).parents[1] / "signaling/offers"
SAMPLES = Path(__file__).parents[2] / "docs/samples"
PLAYER = (SAMPLES / "whep-offer.sdp").read_text()


PAGE = "https://studio.example"


@dataclass(frozen=True)
class Guarded:
    """A server that asks for tokens, and one of each role."""

    api: Api
    secrets: dict[Role, str]

    def publisher(self) -> Whip:
        """Somebody with an operator's token."""
        return Whip(self.api, "/whip", {"Authorization": f"Bearer {self.secrets[Role.OPERATOR]}"})


@pytest.fixture
async def peers() -> AsyncIterator[list[Whip]]:
    peers: list[Whip] = []
    yield peers
    for peer in peers:
        await peer.close()


async def published(api: Api, peers: list[Whip], session_id: str) -> Whip:
    """A film on its way into a session that is live."""
    peer = Whip(api, f"/sessions/{session_id}/whip")
    peers.append(peer)
    await peer.publish()
    await until_async(lambda: has_state(api, session_id, "live"))
    return peer


async def test_what_comes_in_by_whip_is_watched_and_goes_out_by_whep(api: Api, peers: list[Whip]) -> None:
    """Picture and sound, seen and heard, annotated or raw; when the publisher has gone, the session is stalled."""
    publisher, viewer, raw = Whip(api, "/whip"), Whip(api, ""), Whip(api, "")
    peers += [publisher, viewer, raw]
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


async def test_a_publisher_is_answered_as_the_rfc_has_it(api: Api, peers: list[Whip]) -> None:
    """201 with an address that nobody guesses, a strong ETag, and an answer that takes everything."""
    session_id = await api.make_session()
    peer = await published(api, peers, session_id)
    headers = peer.response.headers
    assert peer.response.content_type == "application/sdp"
    assert re.fullmatch(r"/whip/[0-9a-f]{36}", peer.location)
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["ETag"])
    assert headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    for line in ("a=rtcp-mux-only", "a=ice-options:trickle", "a=recvonly", "a=candidate:", "a=end-of-candidates"):
        assert f"\r\n{line}" in peer.answer
    assert "a=msid:" not in peer.answer


async def test_what_a_session_does_not_listen_to_is_received_all_the_same(api: Api, peers: list[Whip]) -> None:
    """No offer is taken in parts: a session without ears answers recvonly for the sound of OBS, and watches."""
    session_id = await api.make_session(pipelines=["vision"])
    peer = Whip(api, f"/sessions/{session_id}/whip")
    peers.append(peer)
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
    api: Api, peers: list[Whip], b_frames: int, profile: str, offered: str
) -> None:
    """High and Main are seen, whatever aiortc knows of them; of B frames there is one error event, and a way out."""
    session_id = await api.make_session()
    peer = Whip(api, f"/sessions/{session_id}/whip")
    peers.append(peer)
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


async def test_who_comes_again_goes_on_where_they_were(api: Api, peers: list[Whip]) -> None:
    """The same token and name: the same session, and the connection before gives way; another name is another one."""
    first, second, other = Whip(api, "/whip"), Whip(api, "/whip"), Whip(api, "/whip?name=yard")
    peers += [first, second, other]
    await first.publish()
    await until(lambda: first.pc.connectionState == "connected")
    await second.publish()
    await other.publish()
    sessions = [peer.response.headers["Vedette-Session"] for peer in (first, second, other)]
    assert sessions[0] == sessions[1] != sessions[2]
    await until(lambda: [peer.pc.connectionState for peer in peers] == ["closed", "connected", "connected"])
    assert (await api.http.delete(first.location)).status == 404


async def test_what_is_not_live_cannot_be_played_yet(api: Api) -> None:
    """409 with Retry-After before there is a picture; 404 for what there never was."""
    session_id = await api.make_session()
    response = await Whip(api, f"/sessions/{session_id}/whep").post(PLAYER)
    assert response.headers["Retry-After"] == "2"
    assert (await problem(response))[:2] == (409, "conflict")
    assert (await problem(await Whip(api, "/sessions/none/whep").post(PLAYER)))[:2] == (404, "not_found")


async def test_a_player_is_answered_as_the_draft_has_it(api: Api, peers: list[Whip]) -> None:
    """Tracks of one stream, sendonly; a kind that there is none of is inactive."""
    session_id = await api.make_session()
    await published(api, peers, session_id)
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


async def test_a_connection_is_trickled_to_by_its_etag(api: Api, peers: list[Whip]) -> None:
    """204 with the right one or *, 412 with another, 428 with none; Eyevinn sends it as ETag."""
    peer = await published(api, peers, await api.make_session())
    etag = peer.response.headers["ETag"]
    ufrag = peer.pc.localDescription.sdp.split("a=ice-ufrag:")[1].split("\r\n")[0]
    password = peer.pc.localDescription.sdp.split("a=ice-pwd:")[1].split("\r\n")[0]
    own = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"
    section = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    candidate = "a=candidate:1 0 udp 2122260223 192.0.2.7 54400 typ host\r\n"
    tcp = "a=candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\n"
    mdns = "a=candidate:1 1 udp 2122260223 nobody.example 54400 typ host\n"

    async def patch(body: str, **headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await api.http.patch(peer.location, data=body, headers={**FRAGMENT, **given})
        assert "ETag" not in response.headers
        return int(response.status)

    assert await patch(own + section + candidate, If_Match=etag) == 204
    assert await patch(section + own + candidate, ETag=etag) == 204
    assert await patch(own + section + tcp + mdns, If_Match=f'"other", {etag}') == 204
    assert await patch(section + "a=end-of-candidates\n", If_Match="*") == 204
    assert await patch(own + section + candidate, If_Match='"other"') == 412
    assert await patch(own + section + candidate, If_Match=f"W/{etag}") == 412
    assert await patch(own + section + candidate) == 428
    assert await patch("nonsense", If_Match=etag) == 400
    assert await patch("a=candidate:nonsense\r\n", If_Match=etag) == 400
    assert await patch(own + candidate, If_Match=etag, Content_Type="application/sdp") == 415
    # Another user name or password is a restart, whatever If-Match says.
    assert await patch(own.replace(ufrag, "zzzz") + section, If_Match="*") == 422
    assert peer.pc.connectionState == "connected"
    missing = await api.http.patch(f"/whip/{'0' * 36}", data=own, headers={**FRAGMENT, "If-Match": "*"})
    assert missing.status == 404


async def test_a_connection_ends_by_delete(api: Api, peers: list[Whip]) -> None:
    """200 without a body, as OBS warns on anything else; then it is gone, for all methods."""
    peer = await published(api, peers, await api.make_session())
    assert (await api.http.get(peer.location)).status == 204
    assert (await api.http.delete(peer.location.replace("/whip/", "/whep/"))).status == 404
    response = await api.http.delete(peer.location, headers={"If-Match": '"other"'})
    assert (response.status, await response.read()) == (200, b"")
    await until(lambda: peer.pc.connectionState == "closed")
    for method in ("DELETE", "GET"):
        assert (await api.http.request(method, peer.location)).status == 404


async def test_a_peer_of_the_page_is_no_whip_connection(api: Api) -> None:
    """Its id is known to others, so it does not open what needs no token."""
    session_id = await api.make_session()
    sdp = (OFFERS / "obs.sdp").read_text()
    made = await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": sdp, "type": "offer"})
    assert made.status == 201
    assert (await api.http.delete(f"/whip/{(await made.json())['peerId']}")).status == 404


async def test_endpoints_tell_what_they_take(api: Api) -> None:
    """OPTIONS, GET and HEAD, of endpoints and connections alike."""
    session_id = await api.make_session()
    for path, patch in ((f"/sessions/{session_id}/whip", False), ("/whip", False), (f"/whip/{'0' * 36}", True)):
        response = await api.http.options(path)
        assert response.status == 200
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
        assert ("PATCH" in response.headers["Allow"]) is patch
        assert "Link" not in response.headers
    assert (await api.http.get("/whip")).status == 204
    head = await api.http.head(f"/sessions/{session_id}/whep")
    assert (head.status, head.content_type) == (200, "application/sdp")


@pytest.fixture
async def guarded(tmp_path: Path, _imported: None) -> AsyncIterator[Guarded]:
    """A server that asks everybody for a token and has a TURN server; a page of another origin may use it."""
    turn = IceServer(urls=("turn:turn.example",), username="kit", credential="s3cret")
    serving = serve(
        Settings(data_dir=tmp_path, auth="always", ice_servers=(turn,), allowed_origins=(PAGE,)),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        tokens = Tokens(tmp_path)
        yield Guarded(Api(server, http), {role: tokens.create(role.word, role)[1] for role in Role})


async def test_tokens_are_taken_as_clients_can_send_them(guarded: Guarded) -> None:
    """As a header or in the query; a client that has none says `undefined`; and the address is enough afterwards."""
    api, sdp = guarded.api, (OFFERS / "obs.sdp").read_text()
    operator, viewer = guarded.secrets[Role.OPERATOR], guarded.secrets[Role.VIEWER]
    nobody = Whip(api, "/whip", {"Authorization": "Bearer undefined"})
    response = await nobody.post(sdp)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await problem(response))[:2] == (401, "unauthorized")
    assert (await problem(await Whip(api, f"/whip?token={viewer}").post(sdp)))[:2] == (403, "forbidden")
    assert (await problem(await Whip(api, "/whip?token=wrong").post(sdp)))[:2] == (401, "unauthorized")
    # Elsewhere a token in an address is none: addresses are kept and shown.
    assert (await api.http.get(f"/sessions?token={operator}")).status == 401
    for peer in (Whip(api, f"/whip?token={operator}", nobody.headers), guarded.publisher()):
        response = await peer.post(sdp)
        assert response.status == 201, await response.text()
        assert (await api.http.delete(response.headers["Location"])).status == 200


async def test_anothers_token_does_not_take_over(guarded: Guarded) -> None:
    """409 while somebody publishes; the same token gets in."""
    api, sdp = guarded.api, (OFFERS / "obs.sdp").read_text()
    first = await guarded.publisher().post(sdp)
    path = f"/sessions/{first.headers['Vedette-Session']}/whip"
    another = Whip(api, f"{path}?token={guarded.secrets[Role.ADMIN]}")
    assert (await problem(await another.post(sdp)))[:2] == (409, "conflict")
    assert (await api.http.delete(first.headers["Location"])).status == 200
    assert (await another.post(sdp)).status == 201


async def test_ice_servers_are_told_to_those_who_may_connect(guarded: Guarded) -> None:
    """In the answer, and before it on OPTIONS that is no preflight, with a token."""
    api, publisher = guarded.api, guarded.publisher()
    turn = '<turn:turn.example>; rel="ice-server"; username="kit"; credential="s3cret"; credential-type="password"'
    response = await publisher.post((OFFERS / "obs.sdp").read_text())
    assert response.headers.getall("Link") == [turn]
    assert (await api.http.options("/whip", headers=publisher.headers)).headers.getall("Link") == [turn]
    assert "Link" not in (await api.http.options("/whip")).headers
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    preflight = await api.http.options("/whip", headers={**publisher.headers, **asks})
    assert preflight.status == 200
    assert "Link" not in preflight.headers
    assert preflight.headers["Accept-Post"] == "application/sdp"
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    for name in ("Authorization", "Content-Type", "If-Match", "ETag"):
        assert name in preflight.headers["Access-Control-Allow-Headers"]
    crossed = await Whip(api, "/whip", {**publisher.headers, "Origin": PAGE}).post((OFFERS / "obs.sdp").read_text())
    for name in ("Location", "ETag", "Link", "Accept-Patch", "Retry-After", "Access-Control-Allow-Methods"):
        assert name in crossed.headers["Access-Control-Expose-Headers"]
    assert (await api.http.options("/whip", headers={"Origin": "https://elsewhere.example"})).status == 403
