"""`/sessions`: what runs over a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from aiohttp import web
from pydantic import Field, RootModel, model_validator

from tracks.events import MetricData, Model, ProgressData, SessionState

from .. import store
from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..api.query import Flag, Id, OrderedPageQuery
from ..artifacts import Artifacts
from ..batches import BatchOptions
from ..changes import SessionChange
from ..roles import Role
from ..session import LiveSession
from ..sessions import LiveSessions
from ..settings import IceServer

TAG = "sessions"
_EXAMPLE = {
    "sessionId": "019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10",
    "sourceId": "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60",
    "source": {"kind": "webcam", "name": "Front door"},
    "pipelines": ["vision", "audio"],
    "profile": "fast",
    "overlay": "smooth",
    "classes": None,
    "mode": "realtime",
    "state": "live",
    "reason": None,
    "seq": 412,
    "peers": 1,
    "progress": None,
    "createdAt": 1763791200.1,
    "endedAt": None,
}


class NewSession(Model):
    """A session to be made."""

    model_config = example(sourceId=_EXAMPLE["sourceId"], pipelines=["vision", "audio"], profile="fast")

    source_id: Id
    pipelines: list[str] = Field(default=["vision"], max_length=10)
    """What is done: `vision`, `audio`."""
    profile: str | None = None
    """`fast`, `accurate`, `cpu-only`, `auto`, or one of the model registry; the server's own, unless given."""
    overlay: Literal["smooth", "exact"] | None = None
    """`smooth` gives every picture back, with boxes moved to its time; `exact` those that were detected."""
    classes: list[str] | None = Field(default=None, max_length=1000)
    """Labels that are kept; all, unless given."""
    mode: store.Mode = "realtime"
    """`batch` works through an upload as fast as the machine can, leaves nothing out, and ends by itself."""
    rate: float | None = Field(default=None, ge=0, le=240, allow_inf_nan=False)
    """In mode `batch`, pictures a second of the file that are looked at, 0 for all; what the profile says, unless
    given."""
    record: bool = False
    """In mode `batch`, make a film with what is found drawn on it: an artifact of kind `film`."""

    @model_validator(mode="after")
    def _of_a_batch(self) -> Self:
        for name, named in (("rate", self.rate is not None), ("record", self.record)):
            if named and self.mode != "batch":
                raise ValueError(f"{name} goes with mode 'batch'")
        return self


class EndQuery(Model):
    """How a session is ended."""

    artifacts: Flag = False
    """Remove its pictures, too."""


class SourceBrief(Reply):
    """Of a session's source, what people know it by."""

    kind: str
    name: str


class SessionInfo(Reply):
    """A session as it is now."""

    model_config = example(**_EXAMPLE)

    session_id: str
    source_id: str
    source: SourceBrief | None
    pipelines: list[str]
    profile: str
    overlay: str
    classes: list[str] | None
    """Labels that are kept; null: all."""
    mode: store.Mode
    state: SessionState
    reason: str | None
    """Why it is in this state, where there is something to say."""
    seq: int
    """Of its newest stored event, 0 before the first."""
    peers: int
    """How many are connected, or about to be."""
    progress: ProgressData | None
    """How far the file is worked through, while a session of mode `batch` runs; else null."""
    created_at: float
    """Unix seconds."""
    ended_at: float | None


class IceServerInfo(Reply):
    """A STUN or TURN server, as `RTCPeerConnection` takes it; without credentials where it needs none."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class SessionToJoin(SessionInfo):
    """A session, with what somebody needs to connect to it."""

    model_config = example(**_EXAMPLE, iceServers=[])

    ice_servers: list[IceServerInfo]


class SessionPage(Reply):
    """A page of sessions."""

    model_config = example(sessions=[_EXAMPLE], next=None)

    sessions: list[SessionInfo]
    next: str | None
    """`after` of the next page; null when there is none."""


class NoNumbers(Reply):
    """There are none during the first second."""


class SessionStats(RootModel[MetricData | NoNumbers]):
    """The numbers of the last second."""

    model_config = example(
        fpsIn=30.0,
        fpsDetected=14.8,
        fpsOut=30.0,
        latencyMs={"infer": {"p50": 52.1, "p95": 61.0}, "frame": {"p50": 8.2, "p95": 14.9}},
        queues={"worker": 1},
        drops={"detector": 1204},
        cpuPercent=148.0,
        memoryBytes=734003200,
        loopLagMs=6.0,
    )


Running = Mapping[str, LiveSession]
"""Sessions that run here, by their ids."""


def add_routes(
    app: web.Application,
    rows: store.Sessions,
    sources: store.Sources,
    live: LiveSessions,
    artifacts: Artifacts,
    ice_servers: Sequence[IceServer],
) -> None:
    """Create, list, look up, change and end sessions; who is to connect to one is told of STUN and TURN servers."""
    servers = [IceServerInfo(**server.model_dump(exclude_none=True)) for server in ice_servers]

    async def create(request: web.Request) -> web.Response:
        body = given(request, NewSession)
        batch = BatchOptions(body.rate, body.record) if body.mode == "batch" else None
        session = await live.create(
            body.source_id, body.pipelines, body.profile, body.overlay, body.classes, batch=batch
        )
        return await to_join(session.row, here(), 201, {"Location": f"/sessions/{session.row.id}"})

    async def index(request: web.Request) -> web.Response:
        page, running = given(request, OrderedPageQuery), here()
        found, after = await rows.page(page.after, page.limit, newest=page.order == "newest")
        return reply(SessionPage(sessions=await infos(found, running), next=after))

    async def show(request: web.Request) -> web.Response:
        running = here()
        return await to_join(await rows.get(request.match_info["session_id"]), running)

    async def change(request: web.Request) -> web.Response:
        session = await live.get(request.match_info["session_id"])
        await session.change(given(request, SessionChange))
        return await to_join(session.row, here())

    async def stats(request: web.Request) -> web.Response:
        session = await live.get(request.match_info["session_id"])
        return web.json_response(session.latest_numbers())

    async def end(request: web.Request) -> web.Response:
        session_id = request.match_info["session_id"]
        session = live.find(session_id)
        if session is not None:
            await session.end("stopped by a client")
        else:
            await rows.get(session_id)
        if given(request, EndQuery).artifacts:
            await artifacts.delete_of(session_id)
        return web.Response(status=204)

    def here() -> Running:
        # Looked at before the rows are read: one that ends meanwhile knows so itself, and its row may not yet.
        return {session.row.id: session for session in live}

    async def infos(found: Sequence[store.Session], running: Running) -> list[SessionInfo]:
        known = await sources.by_id({row.source_id for row in found})
        return [_info(row, known.get(row.source_id), running.get(row.id)) for row in found]

    async def to_join(
        row: store.Session, running: Running, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        (info,) = await infos([row], running)
        return reply(SessionToJoin(**dict(info), ice_servers=servers), status, headers, exclude_unset=True)

    one, database = "/sessions/{session_id}", ("db_unavailable",)
    written = (*database, "storage_full")
    made = Answer(201, "The session, running.", SessionToJoin, headers={"Location": "Where the session is."})
    declare(
        app,
        Route(
            "POST",
            "/sessions",
            create,
            "Start a session",
            TAG,
            Role.OPERATOR,
            (made,),
            body=JsonBody(NewSession),
            errors=("not_found", "overloaded", "source_unreachable", "model_unavailable", *written),
            description="A session runs pipelines over a source. One whose source is pushed by a client waits for it.",
        ),
        Route(
            "GET",
            "/sessions",
            index,
            "List the sessions",
            TAG,
            Role.VIEWER,
            (Answer(200, "A page of sessions, ended ones included.", SessionPage),),
            query=OrderedPageQuery,
            errors=database,
        ),
        Route(
            "GET",
            one,
            show,
            "Look a session up",
            TAG,
            Role.VIEWER,
            (Answer(200, "The session.", SessionToJoin),),
            errors=database,
        ),
        Route(
            "PATCH",
            one,
            change,
            "Change a session",
            TAG,
            Role.OPERATOR,
            (Answer(200, "The session, as it is from the next frame on.", SessionToJoin),),
            body=JsonBody(SessionChange),
            errors=("conflict", "model_unavailable", *database),
            description="What is left out stays as it is. Another profile brings its own overlay unless that is named, "
            "too; a detector that is not loaded yet is waited for, the one before going on meanwhile.",
        ),
        Route(
            "GET",
            f"{one}/stats",
            stats,
            "Read a session's numbers",
            TAG,
            Role.VIEWER,
            (Answer(200, "As in its `metric` events.", SessionStats),),
            errors=("conflict", *database),
        ),
        Route(
            "DELETE",
            one,
            end,
            "End a session",
            TAG,
            Role.OPERATOR,
            (Answer(204, "It has ended, for everyone."),),
            query=EndQuery,
            errors=written,
            description="What it has stored stays, unless `artifacts=true` removes its pictures.",
        ),
    )


def _info(row: store.Session, source: store.Source | None, session: LiveSession | None) -> SessionInfo:
    state, reason, seq = row.state, row.reason, row.last_seq
    if session is not None:
        state, reason, seq = session.state, session.reason, session.last_seq
    return SessionInfo(
        session_id=row.id,
        source_id=row.source_id,
        source=None if source is None else SourceBrief(kind=source.kind, name=source.name),
        pipelines=list(row.pipelines),
        profile=row.profile,
        overlay=row.overlay,
        classes=None if row.classes is None else list(row.classes),
        mode=row.mode,
        state=state,
        reason=reason,
        seq=seq,
        peers=0 if session is None else len(session.clients),
        progress=None if session is None or session.batch is None else session.batch.progress(),
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
