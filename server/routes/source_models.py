"""What is said of sources, and asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tracks.events import Model, SessionState
from tracks.media.info import MediaInfo
from tracks.sources.urls import MAX_CHARS

from ..api import Reply, example
from ..cameras import Transport
from ..transcription import wire_s

Name = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=1, max_length=MAX_CHARS)]
_EXAMPLE = {
    "sourceId": "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60",
    "kind": "webcam",
    "name": "Front door",
    "createdAt": 1763791200.1,
    "media": None,
    "url": None,
    "transport": None,
    "autostart": False,
    "state": "live",
    "reason": None,
    "pictureAge": 0.03,
    "sessionId": "019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10",
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

    kind: Literal["webcam", "demo", "rtsp"]
    """`webcam`: pushed by a client over WebRTC; `demo`: pictures and speech that ship with Vedette; `rtsp`: a camera
    that the server connects to, by its `url`."""
    name: Name | None = None
    """What people call it; its kind, unless given."""
    url: Url | None = None
    """Where a camera is: `rtsp://user:password@host:port/path`. The credentials are shown to nobody."""
    transport: Transport | None = None
    """How a camera sends: over its RTSP connection (`tcp`, unless given), or in datagrams."""
    autostart: bool | None = None
    """A camera is watched all the time, after a restart of the server, too; not, unless given."""

    @model_validator(mode="after")
    def _of_a_camera(self) -> NewSource:
        if self.kind == "rtsp" and self.url is None:
            raise ValueError("a source of kind 'rtsp' needs a url")
        if self.kind != "rtsp" and any(given is not None for given in (self.url, self.transport, self.autostart)):
            raise ValueError(f"url, transport and autostart are those of a camera, not of kind {self.kind!r}")
        return self


class SourceChange(Model):
    """What is to be otherwise; what is left out stays as it is."""

    model_config = example(name="Back door")

    name: Name | None = None
    """What people call it."""
    url: Url | None = None
    """Where the camera is. `***` in it stands for what it has been there, on the same host and port."""
    transport: Transport | None = None
    """How the camera sends."""
    autostart: bool | None = None
    """Whether the camera is watched all the time."""

    @model_validator(mode="after")
    def _something(self) -> SourceChange:
        if all(value is None for value in (self.name, self.url, self.transport, self.autostart)):
            raise ValueError("nothing is to be changed, have: name, url, transport, autostart")
        return self


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
    """What is in the file of an upload, or came from a camera when it was looked at; null for other kinds."""
    url: str | None
    """Where a camera is, without its credentials; null for other kinds."""
    transport: Transport | None
    """How a camera sends; null for other kinds."""
    autostart: bool
    """Whether a camera is watched all the time."""
    state: SessionState | None
    """Of the newest session that runs on it; null when none does."""
    reason: str | None
    """Why it is in this state, where there is something to say."""
    picture_age: float | None
    """Seconds since a camera's newest picture; null before the first, and for other kinds."""
    session_id: str | None
    """The session that `state` is of."""


class SourcePage(Reply):
    """A page of sources, oldest first."""

    model_config = example(sources=[_EXAMPLE], next=None)

    sources: list[SourceInfo]
    next: str | None
    """`after` of the next page; null when there is none."""


def media_of(found: MediaInfo) -> MediaFound:
    """The same for clients."""
    video, audio = found.video, found.audio
    return MediaFound(
        format=found.format,
        duration=None if found.duration_s is None else wire_s(found.duration_s),
        video=None
        if video is None
        else VideoFound(codec=video.codec, width=video.width, height=video.height, fps=video.fps),
        audio=None if audio is None else AudioFound(codec=audio.codec, rate=audio.rate, channels=audio.channels),
    )
