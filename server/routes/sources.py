"""`/sources`: where pictures and sound come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from tracks.errors import InvalidRequest, UnsupportedMedia
from tracks.events.envelope import new_id
from tracks.media.film import examine
from tracks.media.formats import AUDIO_CODECS, CONTAINERS, VIDEO_CODECS

from ..api import Answer, JsonBody, Route, declare, given, reply
from ..api.declare import FORM
from ..api.query import PageQuery
from ..autostart import Autostart
from ..cameras import CameraOptions, Cameras, newest_on
from ..envelope import invalid
from ..roles import Role
from ..sessions import LiveSessions
from ..source_files import SourceFiles
from ..store import Source, Sources
from ..transcription import while_connected
from ..uploads import Uploads
from .source_models import NewSource, NewUpload, SourceChange, SourceInfo, SourcePage, UploadFields, media_of

TAG = "sources"


def add_routes(
    app: web.Application,
    sources: Sources,
    live: LiveSessions,
    uploads: Uploads,
    files: SourceFiles,
    cameras: Cameras,
    autostart: Autostart,
) -> None:
    """Create, list, look up, change and remove sources."""

    async def upload(request: web.Request) -> Source:
        """A source of the file that is sent, once it is known that it can be played."""
        with files.place(request.content_length or 0):
            async with uploads.receive(request) as sent:
                fields = _fields(sent.fields)
                try:
                    media = await while_connected(request, examine(sent.path))
                except UnsupportedMedia as error:
                    raise UnsupportedMedia(error.message, {**_TAKEN, **(error.body().get("details") or {})}) from None
                source_id = new_id()
                await files.keep(source_id, sent.path, media)
                try:
                    return await sources.create("upload", fields.name or fields.kind, id=source_id)
                except BaseException:
                    await files.remove(source_id)
                    raise

    async def camera(request: web.Request, body: NewSource) -> Source:
        """A source of the camera, once a picture of it has been seen."""
        options = CameraOptions(transport=body.transport or "tcp", autostart=bool(body.autostart))
        found = await while_connected(request, cameras.look(cameras.url(body.url or ""), options))
        name = body.name or found.url.host
        source = await sources.create(body.kind, name, found.url.text, options=found.options.stored())
        cameras.keep_preview(source.id, found.preview)
        autostart.changed(source.id)
        return source

    async def changed_camera(request: web.Request, source: Source, body: SourceChange) -> dict[str, Any]:
        """What is to be stored of a camera; one that is to be reached otherwise is looked at first."""
        options = CameraOptions.of(source)
        if body.autostart is not None:
            options = options.model_copy(update={"autostart": body.autostart})
        url = cameras.url(body.url or source.url or "", source.url)
        transport = body.transport or options.transport
        if url.text == source.url and transport == options.transport:
            return {"options": options.stored()}
        options = options.model_copy(update={"transport": transport})
        found = await while_connected(request, cameras.look(url, options))
        cameras.keep_preview(source.id, found.preview)
        return {"url": found.url.text, "options": found.options.stored()}

    async def create(request: web.Request) -> web.Response:
        if request.content_type == FORM:
            source = await upload(request)
            return reply(info(source), 201, {"Location": f"/sources/{source.id}"})
        body = given(request, NewSource)
        if body.kind == "rtsp":
            source = await camera(request, body)
        else:
            source = await sources.create(body.kind, body.name or body.kind)
        return reply(info(source), 201, {"Location": f"/sources/{source.id}"})

    async def index(request: web.Request) -> web.Response:
        page = given(request, PageQuery)
        found, after = await sources.page(page.after, page.limit)
        return reply(SourcePage(sources=[info(source) for source in found], next=after))

    async def show(request: web.Request) -> web.Response:
        return reply(info(await sources.get(request.match_info["source_id"])))

    async def change(request: web.Request) -> web.Response:
        body, source = given(request, SourceChange), await sources.get(request.match_info["source_id"])
        values: dict[str, Any] = {} if body.name is None else {"name": body.name}
        if body.model_fields_set - {"name"}:
            if source.kind != "rtsp":
                raise InvalidRequest(f"url, transport and autostart are those of a camera, not of kind {source.kind!r}")
            values |= await changed_camera(request, source, body)
        source = await sources.change(source.id, **values)
        if "url" in values:
            await end_sessions(source.id, "source changed")
        autostart.changed(source.id)
        return reply(info(source))

    async def remove(request: web.Request) -> web.Response:
        source_id = request.match_info["source_id"]
        await sources.delete(source_id)
        await end_sessions(source_id, "source removed")
        await files.remove(source_id)
        cameras.forget(source_id)
        return web.Response(status=204)

    async def end_sessions(source_id: str, reason: str) -> None:
        for session in live:
            if session.row.source_id == source_id:
                await session.end(reason)

    def info(source: Source) -> SourceInfo:
        camera = CameraOptions.of(source) if source.kind == "rtsp" else None
        media = files.media(source.id) if camera is None else camera.media
        session = newest_on(live, source.id)
        return SourceInfo(
            source_id=source.id,
            kind=source.kind,
            name=source.name,
            created_at=source.created_at,
            media=None if media is None else media_of(media),
            url=None if source.url is None else cameras.url(source.url).redacted,
            transport=None if camera is None else camera.transport,
            autostart=camera is not None and camera.autostart,
            state=None if session is None else session.state,
            reason=None if session is None else session.reason,
            picture_age=None if session is None else session.liveness.picture_age_s,
            session_id=None if session is None else session.row.id,
        )

    made = Answer(201, "The source.", SourceInfo, headers={"Location": "Where the source is."})
    one, database = "/sources/{source_id}", ("db_unavailable",)
    at_cameras = ("source_unreachable", "forbidden_url")
    written = (*database, "storage_full")
    declare(
        app,
        Route(
            "POST",
            "/sources",
            create,
            "Make a source",
            TAG,
            Role.OPERATOR,
            (made,),
            body=JsonBody(NewSource, form=NewUpload),
            errors=("overloaded", *at_cameras, *written),
            description=(
                "A file is sent as a form, and is a source of kind `upload` once it has been examined: 512 MiB,"
                " 10 minutes and 3840x2160 pixels at most. A camera is a source once a picture of it has been seen."
            ),
        ),
        Route(
            "GET",
            "/sources",
            index,
            "List the sources",
            TAG,
            Role.VIEWER,
            (Answer(200, "A page of sources.", SourcePage),),
            query=PageQuery,
            errors=database,
        ),
        Route(
            "GET",
            one,
            show,
            "Look a source up",
            TAG,
            Role.VIEWER,
            (Answer(200, "The source.", SourceInfo),),
            errors=database,
        ),
        Route(
            "PATCH",
            one,
            change,
            "Change a source",
            TAG,
            Role.OPERATOR,
            (Answer(200, "The source as it is now.", SourceInfo),),
            body=JsonBody(SourceChange),
            errors=("overloaded", *at_cameras, *written),
            description=(
                "A camera that is to be reached otherwise is looked at first, and stays as it is when nothing is found;"
                " its sessions end, and one with `autostart` begins anew."
            ),
        ),
        Route(
            "DELETE",
            one,
            remove,
            "Remove a source",
            TAG,
            Role.OPERATOR,
            (Answer(204, "It is gone, its file, too, and its sessions have ended."),),
            errors=written,
            description="Its sessions end; what they have stored stays. Again, it is still gone.",
        ),
    )


_TAKEN: Mapping[str, Sequence[str]] = {
    "formats": CONTAINERS,
    "videoCodecs": VIDEO_CODECS,
    "audioCodecs": AUDIO_CODECS,
}
"""What works, for those whose file does not: FFmpeg's names."""


def _fields(sent: Mapping[str, Sequence[str]]) -> UploadFields:
    for name, values in sent.items():
        if len(values) != 1:
            raise InvalidRequest(f"{name[:40]!r} was given {len(values)} times")
    try:
        return UploadFields.model_validate({name: values[0] for name, values in sent.items()})
    except ValidationError as error:
        raise invalid(error, UploadFields) from None
