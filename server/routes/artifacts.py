"""`/sessions/{id}/snapshot`, `/sessions/{id}/artifacts`, `/artifacts/{id}`: pictures made, listed, served, removed."""

from __future__ import annotations

from aiohttp import web

from .. import store
from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..api.failure import ErrorEnvelope
from ..api.query import PageQuery
from ..artifact_response import SUFFIXES, answer
from ..artifacts import Artifact, Artifacts, Kind, SnapshotOptions
from ..roles import Role
from ..sessions import LiveSessions

TAG = "artifacts"
_ID = "019ab3f2-a5c7-7f30-8e21-5b9d3c4a6f70"
_EXAMPLE = {
    "artifactId": _ID,
    "sessionId": "019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10",
    "kind": "snapshot",
    "mediaType": "image/jpeg",
    "bytes": 184320,
    "width": 1280,
    "height": 720,
    "at": 1763791241.6,
    "mediaTime": 41.2,
    "url": f"/artifacts/{_ID}",
}


class ArtifactsQuery(PageQuery):
    """Which artifacts of a session."""

    kind: Kind | None = None
    """Only artifacts of this kind."""


class ArtifactInfo(Reply):
    """A file of a session."""

    model_config = example(**_EXAMPLE)

    artifact_id: str
    session_id: str
    kind: Kind
    media_type: str
    bytes: int
    width: int
    """Pixels."""
    height: int
    at: float
    """When the picture was seen, in Unix seconds."""
    media_time: float | None
    """Seconds on the session clock."""
    url: str
    """Where its bytes are on this server."""


class ArtifactPage(Reply):
    """A page of artifacts, oldest first."""

    model_config = example(artifacts=[_EXAMPLE], next=None)

    artifacts: list[ArtifactInfo]
    next: str | None
    """`after` of the next page; null when there is none."""


def add_routes(app: web.Application, rows: store.Sessions, live: LiveSessions, artifacts: Artifacts) -> None:
    """Take a snapshot; page through a session's artifacts; serve and remove one."""

    async def take(request: web.Request) -> web.Response:
        options = given(request, SnapshotOptions)
        session = await live.get(request.match_info["session_id"])
        artifact = await session.snapshot(annotated=options.annotated)
        return reply(_info(artifact), 201, {"Location": artifact.url})

    async def index(request: web.Request) -> web.Response:
        query = given(request, ArtifactsQuery)
        session = await rows.get(request.match_info["session_id"])
        found, following = await artifacts.page(session.id, query.after, query.limit, query.kind)
        return reply(ArtifactPage(artifacts=[_info(each) for each in found], next=following))

    async def show(request: web.Request) -> web.StreamResponse:
        artifact = await artifacts.get(request.match_info["artifact_id"])
        return await answer(request, artifact, lambda start, stop: artifacts.read(artifact, start, stop))

    async def remove(request: web.Request) -> web.Response:
        await artifacts.delete(request.match_info["artifact_id"])
        return web.Response(status=204)

    one, database = "/artifacts/{artifact_id}", ("db_unavailable",)
    tagged = {"ETag": "The SHA-256 of its bytes."}
    declare(
        app,
        Route(
            "POST",
            "/sessions/{session_id}/snapshot",
            take,
            "Store the newest picture",
            TAG,
            Role.OPERATOR,
            (Answer(201, "It is stored.", ArtifactInfo, headers={"Location": "Where the picture is."}),),
            body=JsonBody(SnapshotOptions, optional=True),
            errors=("conflict", "overloaded", "storage_full", *database),
        ),
        Route(
            "GET",
            "/sessions/{session_id}/artifacts",
            index,
            "List a session's artifacts",
            TAG,
            Role.VIEWER,
            (Answer(200, "A page of artifacts.", ArtifactPage),),
            query=ArtifactsQuery,
            errors=database,
        ),
        Route(
            "GET",
            one,
            show,
            "Read an artifact",
            TAG,
            Role.VIEWER,
            (
                Answer(200, "Its bytes.", media_types=tuple(SUFFIXES), headers=tagged),
                Answer(206, "The part that `Range` asks for.", media_types=tuple(SUFFIXES), headers=tagged),
                Answer(304, "It is the one that `If-None-Match` names."),
                Answer(412, "It is not one that `If-Match` names.", ErrorEnvelope),
                Answer(416, "It has no such part.", ErrorEnvelope),
            ),
            query=None,
            errors=database,
            description="An id never gets other bytes.",
        ),
        Route(
            "DELETE",
            one,
            remove,
            "Remove an artifact",
            TAG,
            Role.OPERATOR,
            (Answer(204, "It is gone."),),
            errors=database,
        ),
    )


def _info(artifact: Artifact) -> ArtifactInfo:
    return ArtifactInfo(
        artifact_id=artifact.id,
        session_id=artifact.session_id,
        kind=artifact.kind,
        media_type=artifact.media_type,
        bytes=artifact.bytes,
        width=artifact.width,
        height=artifact.height,
        at=artifact.at,
        media_time=artifact.media_time,
        url=artifact.url,
    )
