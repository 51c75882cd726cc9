"""What a media file is found to hold. The child tells it, and is checked like any stranger."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import UnsupportedMedia

Name = Annotated[str, Field(max_length=64)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class AudioInfo(_Told):
    """The audio stream that a player would play."""

    codec: Name
    """FFmpeg's name of its decoder."""
    rate: Count
    """Hz."""
    channels: Count


class VideoInfo(_Told):
    """The video stream that a player would play; a record's cover is none."""

    codec: Name
    """FFmpeg's name of its decoder."""
    width: Count
    height: Count
    fps: Seconds | None
    """On average; None where the file does not tell."""


class MediaInfo(_Told):
    """What is in a file."""

    format: Name
    """FFmpeg's name of the container, told by content: "wav", "mov,mp4,m4a,3gp,3g2,mj2"."""
    duration_s: Seconds | None
    """As the file states it, or FFmpeg's estimate, or None: a browser's recording does not tell."""
    audio: AudioInfo | None
    video: VideoInfo | None


class Ending(_Told):
    """How decoding ended."""

    end_s: Seconds
    """Media time where what was decoded ends."""
    damaged: Count
    """Packets that could not be decoded and are left out."""
    cut_off: bool
    """The file ends before the end that it states."""


def cut_off(ending: Ending, stated_s: float | None) -> UnsupportedMedia:
    """The refusal of a file that ends before the end that it states."""
    stated = "" if stated_s is None else f" of {stated_s:.1f} s"
    return UnsupportedMedia(
        f"the file is cut off: {ending.end_s:.1f} s{stated} can be decoded",
        {"decodedSeconds": ending.end_s, "durationSeconds": stated_s},
    )


def damaged(what: str, pieces: int) -> UnsupportedMedia:
    """The report of a file that has pieces of picture or sound, `what`, that cannot be decoded."""
    return UnsupportedMedia(
        f"the file is damaged: {pieces} pieces of its {what} cannot be decoded, and are left out", {"damaged": pieces}
    )


class Tally(_Told):
    """What was lost so far of what a camera sends."""

    lost: Count
    """Packets that did not come."""
    damaged: Count
    """Pictures and sounds that could not be decoded."""
    late: Count
    """Pictures that were left out for newer ones."""


class Readiness(_Told):
    """The child's first message."""

    missing: tuple[Literal["memory", "privileges", "files", "descriptors"], ...] = Field(strict=False)


class Fault(_Told):
    """Why the child refused its file, or its camera."""

    code: Literal["unsupported_media", "payload_too_large", "source_unreachable", "forbidden_url"]
    message: Annotated[str, Field(max_length=2000)]
    details: dict[str, Any] | None = None
