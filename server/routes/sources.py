"""`/sources`: where pictures and sound come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, ValidationError

from tracks.errors import InvalidRequest, UnsupportedMedia
from tracks.events import Model
from tracks.events.envelope import new_id
from tracks.media.film import examine
from tracks.media.formats import AUDIO_CODECS, CONTAINERS, VIDEO_CODECS
from tracks.media.info import MediaInfo

from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..api.declare import FORM
from ..api.query import PageQuery
from ..envelope import invalid
from ..roles import Role
from ..sessions import LiveSessions
from ..source_files import SourceFiles
from ..store import Source, Sources
from ..transcription import while_connected, wire_s
from ..uploads import Uploads

TAG = "sources"
Name = Annotated[str, Field(min_length=1, max_length=200)]
_EXAMPLE = {
    "sourceId": "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60",
    "kind": "webcam",
    "name": "Front door",
    "createdAt": 1763791200.1,
    "media": None,
}
_MEDIA = {
    "format": "mov,mp4,m4a,3gp,3g2,mj2",
    "duration": 30.0,
    "video": {"codec": "h264", "width": 1280, "height": 720, "fps": 30.0},
    "audio": {"codec": "aac", "rate": 48000, "channels": 2},
}


class NewSource(Model):
    """A source to be made."""

    model_config = example(kind="webcam", name="Front door")

    kind: Literal["webcam", "demo"]
    """`webcam`: pushed by a client over WebRTC; `demo`: pictures and speech that ship with Vedette."""
    name: Name | None = None
    """What people call it; its kind, unless given."""


class SourceChange(Model):
    """What is to be otherwise."""

    model_config = example(name="Back door")

    name: Name
    """What people call it."""


class UploadFields(Model):
    """What is said of a file."""

    kind: Literal["upload"] = "upload"
    name: str | None = Field(default=None, min_length=1, max_length=200)
    """What people call it; its kind, unless given."""


class NewUpload(UploadFields):
    """A file to be a source."""

    file: bytes
    """Video, sound or both; its format is told by its content."""


class VideoFound(Reply):
    """The picture of a file."""

    codec: str
    width: int
    """Pixels, the right way up."""
    height: int
    fps: float | None
    """On average; null where the file does not tell."""


class AudioFound(Reply):
    """The sound of a file."""

    codec: str
    rate: int
    """Hz."""
    channels: int


class MediaFound(Reply):
    """What is in a file."""

    model_config = example(**_MEDIA)

    format: str
    duration: float | None
    """Seconds, measured."""
    video: VideoFound | None
    audio: AudioFound | None


class SourceInfo(Reply):
    """A source."""

    model_config = example(**_EXAMPLE)

    source_id: str
    kind: str
    name: str
    created_at: float
    """Unix seconds."""
    media: MediaFound | None
    """What is in the file of an upload; null for other kinds."""


class SourcePage(Reply):
    """A page of sources, oldest first."""

    model_config = example(sources=[_EXAMPLE], next=None)

    sources: list[SourceInfo]
    next: str | None
    """`after` of the next page; null when there is none."""


def add_routes(
    app: web.Application, sources: Sources, live: LiveSessions, uploads: Uploads, files: SourceFiles
) -> None:
    """Create, list, look up, rename and remove sources."""

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

    async def create(request: web.Request) -> web.Response:
        if request.content_type == FORM:
            source = await upload(request)
            return reply(info(source), 201, {"Location": f"/sources/{source.id}"})
        body = given(request, NewSource)
        source = await sources.create(body.kind, body.name or body.kind)
        return reply(info(source), 201, {"Location": f"/sources/{source.id}"})

    async def index(request: web.Request) -> web.Response:
        page = given(request, PageQuery)
        found, after = await sources.page(page.after, page.limit)
        return reply(SourcePage(sources=[info(source) for source in found], next=after))

    async def show(request: web.Request) -> web.Response:
        return reply(info(await sources.get(request.match_info["source_id"])))

    async def change(request: web.Request) -> web.Response:
        return reply(info(await sources.rename(request.match_info["source_id"], given(request, SourceChange).name)))

    async def remove(request: web.Request) -> web.Response:
        source_id = request.match_info["source_id"]
        await sources.delete(source_id)
        for session in live:
            if session.row.source_id == source_id:
                await session.end("source removed")
        await files.remove(source_id)
        return web.Response(status=204)

    def info(source: Source) -> SourceInfo:
        media = files.media(source.id)
        return SourceInfo(
            source_id=source.id,
            kind=source.kind,
            name=source.name,
            created_at=source.created_at,
            media=None if media is None else _media(media),
        )

    made = Answer(201, "The source.", SourceInfo, headers={"Location": "Where the source is."})
    one, database = "/sources/{source_id}", ("db_unavailable",)
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
            errors=("overloaded", *written),
            description=(
                "A file is sent as a form, and is a source of kind `upload` once it has been examined: 512 MiB,"
                " 10 minutes and 3840x2160 pixels at most."
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
            "Rename a source",
            TAG,
            Role.OPERATOR,
            (Answer(200, "The source as it is now.", SourceInfo),),
            body=JsonBody(SourceChange),
            errors=written,
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


def _media(found: MediaInfo) -> MediaFound:
    video, audio = found.video, found.audio
    return MediaFound(
        format=found.format,
        duration=None if found.duration_s is None else wire_s(found.duration_s),
        video=None
        if video is None
        else VideoFound(codec=video.codec, width=video.width, height=video.height, fps=video.fps),
        audio=None if audio is None else AudioFound(codec=audio.codec, rate=audio.rate, channels=audio.channels),
    )
