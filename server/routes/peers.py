"""`/sessions/{id}/offer` and the peer it makes: WebRTC in JSON, for clients that need data channels."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from signaling.ice import parse_candidate
from signaling.peer import Peer
from tracks.errors import NotFound
from tracks.events import Model

from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..joining import Joining
from ..principal import principal_of
from ..recent import RecentIds
from ..roles import Role
from ..sessions import LiveSessions

TAG = "webrtc"
MAX_CANDIDATES_A_PATCH = 100
_FINGERPRINT = (
    "F8:19:BB:50:DA:2A:C1:A5:F3:2E:1A:88:7C:6C:CB:B1:B0:EB:30:10:1A:E1:E1:05:DF:AA:93:36:4F:14:62:C0"  # of nobody's
)
_SDP = "\r\n".join(
    (
        "v=0",
        "o=- 4004563675 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=ice-ufrag:71T4",
        "a=ice-pwd:PEtXwbOoCR1fc5YvwIfgn2aa",
        f"a=fingerprint:sha-256 {_FINGERPRINT}",
        "a=setup:actpass",
        "",
    )
)
"""Asks for events only; a peer that does not connect in time is closed."""


class Offer(Model):
    """An offer, in the shape of `RTCSessionDescription`: one connection that sends and receives."""

    model_config = example(sdp=_SDP, type="offer")

    sdp: str
    """With at least the data channel `events` (ordered, protocol `vedette.v1`)."""
    type: str
    """`offer`."""


class SdpAnswer(Reply):
    """The answer, in the shape of `RTCSessionDescription`, and the peer that was made."""

    model_config = example(sdp=_SDP, type="answer", peerId="019ab3f2-8d3b-7e01-9b6a-4c1f0d2e3a51")

    sdp: str
    type: Literal["answer"]
    peer_id: str


class Candidate(Model):
    """One trickled candidate, in the shape of `RTCIceCandidate.toJSON()`."""

    candidate: str = Field(max_length=1000)
    sdp_mid: str | None = Field(default=None, max_length=64)
    sdp_m_line_index: int | None = Field(default=None, ge=0, le=64)
    username_fragment: str | None = Field(default=None, max_length=256)


class Trickle(Model):
    """Candidates of the client, as it finds them."""

    model_config = example(
        candidates=[{"candidate": "candidate:1 1 udp 2122260223 192.0.2.7 54400 typ host", "sdpMid": "0"}], end=False
    )

    candidates: list[Candidate] = Field(default=[], max_length=MAX_CANDIDATES_A_PATCH)
    end: bool = False
    """No more candidates will come. Taken note of, nothing more: peers behind names that we cannot resolve are still
    found by the checks that they send, and those that never connect are closed by a timer."""


def add_routes(app: web.Application, live: LiveSessions, joining: Joining) -> None:
    """Negotiate a peer, trickle to it, remove it."""
    made = RecentIds()

    async def offer(request: web.Request) -> web.Response:
        body = given(request, Offer)
        session = await live.get(request.match_info["session_id"])
        peer, sdp = await joining.answer(session, body.sdp, body.type, principal_of(request))
        location = f"/sessions/{session.row.id}/peers/{peer.id}"
        made.add([location])
        return reply(SdpAnswer(sdp=sdp, type="answer", peer_id=peer.id), 201, {"Location": location})

    async def trickle(request: web.Request) -> web.Response:
        body = given(request, Trickle)
        peer = find(request)
        parsed = [parse_candidate(each.candidate, each.sdp_mid, each.sdp_m_line_index) for each in body.candidates]
        await peer.add_candidates([candidate for candidate in parsed if candidate is not None])
        return web.Response(status=204)

    async def remove(request: web.Request) -> web.Response:
        try:
            await find(request).close("closed by the client")
        except NotFound:
            if request.path not in made:  # else it has left already
                raise
        return web.Response(status=204)

    def find(request: web.Request) -> Peer:
        session_id, peer_id = request.match_info["session_id"], request.match_info["peer_id"]
        session = live.find(session_id)
        peer = None if session is None else session.clients.peers.get(peer_id)
        if peer is None:
            raise NotFound(f"no peer {peer_id!r} in session {session_id!r}")
        return peer

    one = "/sessions/{session_id}/peers/{peer_id}"
    declare(
        app,
        Route(
            "POST",
            "/sessions/{session_id}/offer",
            offer,
            "Connect to a session",
            TAG,
            Role.VIEWER,
            (Answer(201, "The answer.", SdpAnswer, headers={"Location": "Where the peer is."}),),
            body=JsonBody(Offer),
            errors=("conflict", "overloaded", "unsupported_media", "db_unavailable"),
            description="WebRTC in one round trip, with data channels for events and commands.",
        ),
        Route(
            "PATCH",
            one,
            trickle,
            "Add candidates to a peer",
            TAG,
            Role.VIEWER,
            (Answer(204, "They are tried."),),
            body=JsonBody(Trickle),
            errors=("overloaded",),
        ),
        Route("DELETE", one, remove, "Disconnect a peer", TAG, Role.VIEWER, (Answer(204, "It is closed."),)),
    )
