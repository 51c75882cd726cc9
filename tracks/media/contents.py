"""What is in an untrusted file: opened, looked at, and held against the caps. Runs in the child only."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import av
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.error import MemoryError as NoMemory
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from ..errors import PayloadTooLarge, UnsupportedMedia, VedetteError
from .formats import AUDIO_CODECS, READABLE, VIDEO_CODECS, VIEWABLE, open_options
from .limits import Limits

MAX_WORDS = 200
"""Characters of FFmpeg's own words that are passed on."""
STATED = frozenset({"mov", "matroska", "flac", "wav", "w64", "aiff", "au", "caf"})
"""Containers that state their duration."""
_STREAMED = 0x7FFF_0000
"""Lengths from here on are what programs write into a WAV header when they do not know better."""


def open_file(fd: int, limits: Limits) -> InputContainer:
    """The file behind `fd`, opened as one of the listed formats. Raises UnsupportedMedia."""
    file = os.fdopen(fd, "rb", buffering=0)
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture() as log:
        try:
            return av.open(file, "r", options=open_options(limits.max_pixels), io_open=_refuse)
        except (av.error.FFmpegError, ValueError, UnicodeError) as error:
            raise UnsupportedMedia(f"cannot be read: {_words(log, error)}; readable are {READABLE}") from error
        finally:
            av.logging.set_level(None)


def describe(container: InputContainer, limits: Limits) -> dict[str, Any]:
    """The contents as `MediaInfo` has them. Raises PayloadTooLarge for what is over a cap."""
    audio, video = audio_stream(container), video_stream(container)
    info: dict[str, Any] = {"format": container.format.name, "duration_s": None, "audio": None, "video": None}
    if container.duration is not None and container.duration > 0:
        info["duration_s"] = container.duration / av.time_base
    if audio is not None:
        context = audio.codec_context
        info["audio"] = {"codec": context.name, "rate": context.sample_rate, "channels": context.layout.nb_channels}
    if video is not None:
        size = video.codec_context
        rate = float(video.average_rate) if video.average_rate else None
        info["video"] = {"codec": size.name, "width": size.width, "height": size.height, "fps": rate}
        if size.width * size.height > limits.max_pixels:
            raise too_many_pixels(size.width, size.height, limits)
    if is_stated(container) and (info["duration_s"] or 0) > limits.max_duration_s:
        raise too_long(info["duration_s"], limits)
    return info


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The audio that a player would play, if it can be decoded."""
    best = container.streams.best("audio")
    return best if isinstance(best, AudioStream) and best.codec_context is not None else None


def video_stream(container: InputContainer) -> VideoStream | None:
    """The video that a player would play; the picture on a record's cover is none."""
    return next((each for each in _moving(container) if each.codec_context is not None), None)


def listenable(container: InputContainer) -> AudioStream:
    """The audio stream. Raises UnsupportedMedia, with what there is instead."""
    audio = audio_stream(container)
    if audio is not None and audio.codec_context.name in AUDIO_CODECS and audio.codec_context.sample_rate > 0:
        return audio
    if audio is not None:
        raise UnsupportedMedia(f"audio codec {audio.codec_context.name!r} is not taken; readable are {READABLE}")
    if container.streams.audio:
        raise UnsupportedMedia(f"its audio has a codec that is unknown here; readable are {READABLE}")
    raise UnsupportedMedia(f"there is no audio in it, only {_kinds(container)}")


def watchable(container: InputContainer) -> VideoStream:
    """The video stream. Raises UnsupportedMedia, with what there is instead."""
    video = video_stream(container)
    if video is not None and video.codec_context.name in VIDEO_CODECS:
        return video
    if video is not None:
        raise UnsupportedMedia(f"video codec {video.codec_context.name!r} is not taken; readable are {VIEWABLE}")
    if _moving(container):
        raise UnsupportedMedia(f"its video has a codec that is unknown here; readable are {VIEWABLE}")
    raise UnsupportedMedia(f"there is no video in it, only {_kinds(container)}")


def playable(container: InputContainer) -> tuple[VideoStream | None, AudioStream | None]:
    """Picture and sound, one of which a file may lack. Raises UnsupportedMedia when it has neither, or has one that
    cannot be decoded."""
    if not _moving(container) and not container.streams.audio:
        raise UnsupportedMedia(f"there is neither picture nor sound in it, only {_kinds(container)}")
    return (
        watchable(container) if _moving(container) else None,
        listenable(container) if container.streams.audio else None,
    )


def packets(container: InputContainer) -> Iterator[Packet[Stream] | None]:
    """Every packet that can be read; a file that breaks off ends like one that is whole. At the end None, to flush."""
    try:
        yield from container.demux()
    except NoMemory:
        raise
    except FFmpegError:
        pass
    yield None


def start_of(container: InputContainer) -> float:
    """The timestamp, in seconds, that is media time 0: as with ffmpeg, a file begins where its first stream does."""
    return (container.start_time or 0) / av.time_base


def is_stated(container: InputContainer) -> bool:
    """Whether `container.duration` is what the file states. Elsewhere FFmpeg estimates it from sizes and rates."""
    return bool(STATED & set(container.format.name.split(",")))


def missing_bytes(fd: int) -> int:
    """How many bytes a RIFF file (WAV, AVI) lacks of what its header states; 0 for others. Does not move `fd`."""
    head = os.pread(fd, 8, 0)
    if len(head) < 8 or head[:4] != b"RIFF":
        return 0
    stated = int(struct.unpack("<I", head[4:])[0]) + 8
    return 0 if stated >= _STREAMED else max(0, stated - os.fstat(fd).st_size)


def too_many_pixels(width: int, height: int, limits: Limits) -> VedetteError:
    """The refusal of pictures past the cap."""
    return PayloadTooLarge(f"the picture is {width}x{height}, at most {limits.max_pixels} pixels are taken")


def too_long(seconds: float, limits: Limits) -> VedetteError:
    """The refusal of media past the cap."""
    return PayloadTooLarge(f"it is {seconds:.0f} s long or longer, at most {limits.max_duration_s:.0f} s are taken")


def _moving(container: InputContainer) -> list[VideoStream]:
    """The picture on a record's cover is no video."""
    return [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]


def _kinds(container: InputContainer) -> str:
    return ", ".join(sorted({each.type for each in container.streams})) or "nothing"


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> Any:
    """Called by FFmpeg when a file wants another opened."""
    raise PermissionError(f"it refers to another file, {url[:MAX_WORDS]!r}")


def _words(log: list[tuple[int, str, str]], error: Exception) -> str:
    """FFmpeg's own reason, which is often in its log only, in one printable line."""
    said = [message for _, _, message in log if message.strip()]
    text = said[0] if said else getattr(error, "strerror", None) or str(error)
    line = " ".join(text.split())
    if "whitelist" in line:
        return "its format is not taken"
    return "".join(each for each in line if each.isprintable())[:MAX_WORDS]
