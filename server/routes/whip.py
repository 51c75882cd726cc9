"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): WebRTC over HTTP for the programs of others, media in or media out.

A connection has an address of its own that nobody can guess; whoever knows it may trickle candidates to it and end it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from aiohttp import hdrs, web
from pydantic import Field

from signaling.fragment import MAX_FRAGMENT_BYTES, read_fragment
from signaling.peer import Peer
from signaling.sdp import MAX_SDP_BYTES
from signaling.terms import Terms, WhepTerms, WhipTerms
from tracks.errors import (
    ConditionMissing,
    Conflict,
    NotFound,
    PreconditionFailed,
    Unprocessable,
    UnsupportedMedia,
)
from tracks.events import Model

from ..access import Access
from ..api import Answer, RawBody, Route, declare, given
from ..api.route import Handler
from ..guest import Guest
from ..ice_links import ice_links
from ..joining import Joining
from ..middleware import read_text
from ..origin import is_preflight
from ..principal import principal_of
from ..roles import Role
from ..session import LiveSession
from ..sessions import LiveSessions
from ..settings import IceServer
from ..whip_sessions import WhipSessions

Pipeline = Literal["vision", "audio"]

TAG = "whip"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
SESSION_HEADER = "Vedette-Session"
WHIP_SAMPLE, WHEP_SAMPLE = "docs/samples/whip-offer.sdp", "docs/samples/whep-offer.sdp"
PIPELINES: Mapping[str, Pipeline] = {"video": "vision", "audio": "audio"}
"""What is done with a kind of media."""
ID_BYTES = 18
"""144 random bits; RFC 9725 section 5 wants 128."""
RETRY_AFTER_S = 2
WATCHABLE = ("live", "paused")
ENDPOINT_METHODS = "GET, HEAD, OPTIONS, POST"
CONNECTION_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH"
CORS_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
"""Eyevinn's client looks here, on the endpoint, whether it may trickle."""


class WhipQuery(Model):
    """How media is brought."""

    token: str | None = None
    """For clients that cannot send `Authorization`."""


class BeginQuery(WhipQuery):
    """What is made for somebody who brings media."""

    name: str = Field(default="WHIP", min_length=1, max_length=200)
    """Of the source. The same token and name go on with the session that they began, while it runs."""
    pipelines: list[Pipeline] = Field(default=[], max_length=2)
    """What is done; unless given, `vision` where a picture is offered and `audio` where sound is."""
    profile: str | None = Field(default=None, max_length=200)


class WhepQuery(WhipQuery):
    """What is played."""

    track: Literal["annotated", "raw"] = "annotated"
    """The picture with boxes drawn on it, or as it came."""


def add_routes(
    app: web.Application,
    live: LiveSessions,
    joining: Joining,
    begun: WhipSessions,
    access: Access,
    ice_servers: Sequence[IceServer],
) -> None:
    """Publish, play, trickle, end."""
    links = ice_links(ice_servers)

    async def begin(request: web.Request) -> web.Response:
        query, sdp = given(request, BeginQuery), await read_text(request, SDP, MAX_SDP_BYTES)
        offered = [media.kind for media in WhipTerms().read(sdp, "offer").media]
        pipelines = query.pipelines or [does for kind, does in PIPELINES.items() if kind in offered]
        async with begun.of(principal_of(request), query.name, pipelines, query.profile) as session:
            return await take(request, session, sdp)

    async def publish(request: web.Request) -> web.Response:
        sdp = await read_text(request, SDP, MAX_SDP_BYTES)
        return await take(request, await live.get(request.match_info["session_id"]), sdp)

    async def take(request: web.Request, session: LiveSession, sdp: str) -> web.Response:
        if not session.takes:
            raise Conflict(f"session {session.row.id} plays a source of the server, nobody can publish to it")
        return await join(request, session, sdp, "whip", WhipTerms())

    async def play(request: web.Request) -> web.Response:
        query, sdp = given(request, WhepQuery), await read_text(request, SDP, MAX_SDP_BYTES)
        session = await live.get(request.match_info["session_id"])
        if session.state not in WATCHABLE:
            # 400 or 406 would make @eyevinn/webrtc-player ask otherwise, not later (WHEP, 4.3.8).
            raise Conflict(f"session {session.row.id} is {session.state}, not live", {"retryAfter": RETRY_AFTER_S})
        return await join(request, session, sdp, "whep", WhepTerms(), Guest(session, raw=query.track == "raw"))

    async def join(
        request: web.Request, session: LiveSession, sdp: str, way: str, terms: Terms, host: Guest | None = None
    ) -> web.Response:
        id = secrets.token_hex(ID_BYTES)
        try:
            peer, answer = await joining.answer(
                session, sdp, "offer", principal_of(request), terms=terms, host=host, id=id
            )
        except UnsupportedMedia as error:
            raise Unprocessable(error.message) from None
        headers = {hdrs.LOCATION: f"/{way}/{id}", hdrs.ETAG: etag_of(peer), SESSION_HEADER: session.row.id}
        response = web.Response(
            body=answer.encode(), status=201, content_type=SDP, headers={**headers, "Accept-Patch": FRAGMENT}
        )
        add_links(response)
        return response

    async def trickle(request: web.Request) -> web.Response:
        text = await read_text(request, FRAGMENT, MAX_FRAGMENT_BYTES)
        peer = find(request)
        check_condition(request, etag_of(peer))
        fragment = read_fragment(text)
        ufrag, password = peer.ice
        if (fragment.ufrag or ufrag, fragment.password or password) != peer.ice:
            raise Unprocessable("ICE cannot be restarted here; connect anew, the same token takes over")
        await peer.add_candidates(fragment.candidates)
        return web.Response(status=204)

    async def end(request: web.Request) -> web.Response:
        await find(request).close("closed by the client")
        return web.Response(status=200)

    async def look(request: web.Request) -> web.Response:
        if "whep_id" in request.match_info or "whip_id" in request.match_info:
            find(request)
        elif request.method == hdrs.METH_HEAD and request.path.endswith("/whep"):
            return web.Response(status=200, content_type=SDP)  # WHEP, 4.2
        return web.Response(status=204)

    def options(allow: str) -> Handler:
        async def answer_options(request: web.Request) -> web.Response:
            response = web.Response(
                headers={
                    hdrs.ALLOW: allow,
                    "Accept-Post": SDP,
                    "Accept-Patch": FRAGMENT,
                    hdrs.ACCESS_CONTROL_ALLOW_METHODS: CORS_METHODS,
                }
            )
            # Credentials of TURN servers are for those who may connect; browsers ask without theirs (RFC 9725, 4.6).
            if links and not is_preflight(request) and await access.who(request) is not None:
                add_links(response)
            return response

        return answer_options

    def add_links(response: web.Response) -> None:
        for link in links:
            response.headers.add("Link", link)

    def find(request: web.Request) -> Peer:
        of = "whip" if "whip_id" in request.match_info else "whep"
        terms, id = (WhipTerms if of == "whip" else WhepTerms), request.match_info[f"{of}_id"]
        for session in live:
            peer = session.clients.peers.get(id)
            if peer is not None and isinstance(peer.terms, terms) and not peer.closing:
                return peer
        raise NotFound(f"there is no such {of.upper()} connection, or it has ended")

    whip, whep = "/sessions/{session_id}/whip", "/sessions/{session_id}/whep"
    one_whip, one_whep = "/whip/{whip_id}", "/whep/{whep_id}"
    offers = ("conflict", "unprocessable", "overloaded", "db_unavailable")
    headers = {
        "Location": "Where the connection is; nobody can guess it.",
        "ETag": "Of its ICE session, for `If-Match`.",
        "Link": "An ICE server of the server's settings, a line each.",
        SESSION_HEADER: "The session's id.",
    }
    answer = (Answer(201, "The answer, with all candidates of the server.", media_types=(SDP,), headers=headers),)
    fragments = RawBody((FRAGMENT,), "docs/samples/candidates.sdpfrag", headers={"If-Match": "*"})
    declare(
        app,
        Route(
            "POST",
            "/whip",
            begin,
            "Publish by WHIP",
            TAG,
            Role.OPERATOR,
            answer,
            query=BeginQuery,
            body=RawBody((SDP,), WHIP_SAMPLE),
            errors=(*offers, "model_unavailable"),
            description="Makes a source and a session. Who comes again with the same token and name goes on in it.",
        ),
        Route(
            "POST",
            whip,
            publish,
            "Publish to a session by WHIP",
            TAG,
            Role.OPERATOR,
            answer,
            query=WhipQuery,
            body=RawBody((SDP,), WHIP_SAMPLE),
            errors=offers,
            curl_path="/sessions/$PUBLISHED/whip",
        ),
        Route(
            "POST",
            whep,
            play,
            "Play a session by WHEP",
            TAG,
            Role.VIEWER,
            answer,
            query=WhepQuery,
            body=RawBody((SDP,), WHEP_SAMPLE),
            errors=offers,
            description="Before there is a picture or sound it is 409, with `Retry-After`.",
        ),
    )
    for path, of in ((one_whip, "WHIP"), (one_whep, "WHEP")):
        declare(
            app,
            Route(
                "PATCH",
                path,
                trickle,
                f"Add candidates to a {of} connection",
                TAG,
                None,
                (Answer(204, "They are tried."),),
                body=fragments,
                errors=("precondition_failed", "condition_missing", "unprocessable", "conflict", "overloaded"),
                description="`If-Match` is the `ETag` of the answer, or `*`. A restart of ICE is refused.",
            ),
            Route("DELETE", path, end, f"End a {of} connection", TAG, None, (Answer(200, "It is over."),)),
        )
    for path, allow in (
        *((path, ENDPOINT_METHODS) for path in ("/whip", whip, whep)),
        *((path, CONNECTION_METHODS) for path in (one_whip, one_whep)),
    ):
        declare(
            app,
            Route(
                "OPTIONS",
                path,
                options(allow),
                "Ask what is taken",
                TAG,
                None,
                (Answer(200, "This."),),
                query=None,
                hidden=True,
            ),
            Route("GET", path, look, "Nothing", TAG, None, (Answer(204, "Nothing."),), query=None, hidden=True),
        )


def etag_of(peer: Peer) -> str:
    """Of the ICE session: another one would have another user name and password."""
    return f'"{hashlib.sha256(" ".join(peer.ice).encode()).hexdigest()[:32]}"'


def check_condition(request: web.Request, etag: str) -> None:
    """Raise ConditionMissing, or PreconditionFailed for another ICE session (RFC 9725, 4.3.1).

    `ETag` counts as `If-Match`: @eyevinn/whip-web-client sends that.
    """
    given_tags = request.headers.getall(hdrs.IF_MATCH, None) or request.headers.getall(hdrs.ETAG, None)
    if given_tags is None:
        raise ConditionMissing("If-Match with the ETag of the answer is needed, or *")
    tags = [tag.strip() for line in given_tags for tag in line.split(",")]
    if "*" not in tags and etag not in tags:
        raise PreconditionFailed(f"If-Match is {', '.join(tags)[:80]!r}, the ETag of this connection is another one")
