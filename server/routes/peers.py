"""`/sessions/{id}/offer` and the peer it makes: WebRTC in JSON, for clients that need data channels."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from signaling.ice import parse_candidate
from signaling.peer import Peer
from tracks.errors import NotFound
from tracks.events import Model

from ..middleware import read_json
from ..sessions import LiveSessions

MAX_CANDIDATES_A_PATCH = 100


class Offer(Model):
    """Body of `POST /sessions/{id}/offer`."""

    sdp: str
    type: str


class Candidate(Model):
    """One trickled candidate, in the shape of `RTCIceCandidate.toJSON()`."""

    candidate: str = Field(max_length=1000)
    sdp_mid: str | None = Field(default=None, max_length=64)
    sdp_m_line_index: int | None = Field(default=None, ge=0, le=64)
    username_fragment: str | None = Field(default=None, max_length=256)


class Trickle(Model):
    """Body of `PATCH` on a peer."""

    candidates: list[Candidate] = Field(default=[], max_length=MAX_CANDIDATES_A_PATCH)
    end: bool = False
    """No more candidates will come. Taken note of, nothing more: peers behind names that we cannot resolve are still
    found by the checks that they send, and those that never connect are closed by a timer."""


def add_routes(app: web.Application, live: LiveSessions) -> None:
    """Negotiate a peer, trickle to it, remove it."""

    async def offer(request: web.Request) -> web.Response:
        body = await read_json(request, Offer)
        session = await live.get(request.match_info["session_id"])
        peer, sdp = await live.answer(session, body.sdp, body.type)
        location = f"/sessions/{session.row.id}/peers/{peer.id}"
        answer = {"sdp": sdp, "type": "answer", "peerId": peer.id}
        return web.json_response(answer, status=201, headers={"Location": location})

    async def trickle(request: web.Request) -> web.Response:
        body = await read_json(request, Trickle)
        peer = find(request)
        parsed = [parse_candidate(each.candidate, each.sdp_mid, each.sdp_m_line_index) for each in body.candidates]
        await peer.add_candidates([candidate for candidate in parsed if candidate is not None])
        return web.Response(status=204)

    async def remove(request: web.Request) -> web.Response:
        await find(request).close("closed by the client")
        return web.Response(status=204)

    def find(request: web.Request) -> Peer:
        session_id, peer_id = request.match_info["session_id"], request.match_info["peer_id"]
        session = live.find(session_id)
        peer = None if session is None else session.peers.get(peer_id)
        if peer is None:
            raise NotFound(f"no peer {peer_id!r} in session {session_id!r}")
        return peer

    app.router.add_post("/sessions/{session_id}/offer", offer)
    app.router.add_patch("/sessions/{session_id}/peers/{peer_id}", trickle)
    app.router.add_delete("/sessions/{session_id}/peers/{peer_id}", remove)
