"""Pictures and sound written to a film: MP4 with H.264 and AAC, or WebM with VP8 and Opus where FFmpeg lacks x264.

Encoding has a thread of its own that gives way to whatever is live. Whoever records waits for it: one picture is being
encoded while the next is made, and no queue grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from .errors import StorageFull, VedetteError
from .types import PLAY_RATE, Stereo
from .worker import introduce_thread

TIME_BASE = Fraction(1, 90_000)
NICENESS = 5
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
LOOK_EVERY = 100
"""Pictures, from one look at the room on the disk to the next: some 10 MB."""
SLACK_S = 0.01
"""Sound that begins later than this after the end of what came before has silence in front of it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A container with its codecs, by FFmpeg's names."""

    media_type: str
    container: str
    container_options: dict[str, str]
    video: str
    video_options: dict[str, str]
    audio: str


MP4 = Format(
    "video/mp4",
    "mp4",
    # The index in front, so that a browser can begin and seek before it has all of it.
    {"movflags": "+faststart"},
    "libx264",
    # 7 ms of one core for 1280x720; a key frame every 60 pictures to seek to.
    {"preset": "veryfast", "crf": "23", "g": "60"},
    "aac",
)
WEBM = Format(
    "video/webm",
    "webm",
    {},
    "libvpx",
    {"deadline": "realtime", "cpu-used": "6", "crf": "15", "b": "8M", "g": "60"},
    "libopus",
)


def best_format() -> Format:
    """What this FFmpeg can write."""
    return MP4 if MP4.video in av.codecs_available else WEBM


class Recorder:
    """One film that is being written to `path`, which is the caller's to keep or to remove. Call on the event loop.

    `room_bytes` are left free on the disk. Every call raises StorageFull when there is no room, VedetteError when the
    film cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        sound: bool,
        room_bytes: int = 0,
        format: Format | None = None,
    ) -> None:
        """`size`: width and height, both even; pictures of another are scaled to it."""
        self.format = format or best_format()
        self._writer = _Writer(path, size, sound, room_bytes, self.format)
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="recording", initializer=partial(introduce_thread, "recording", NICENESS)
        )
        self._last: asyncio.Future[None] | None = None

    async def picture(self, frame: VideoFrame) -> None:
        """Take the next picture, yuv420p, whose pts must rise; returns when the one before is written."""
        await self._do(lambda: self._writer.picture(frame))

    async def sound(self, start_s: float, samples: Stereo) -> None:
        """Take the next sound, which begins at `start_s` of the film; a gap before it becomes silence."""
        await self._do(lambda: self._writer.sound(start_s, samples))

    async def finish(self) -> None:
        """Write the end: the film is whole when this returns."""
        await self._do(self._writer.finish)
        await self._settle()

    async def close(self) -> None:
        """Let go of the file, finished or not. Safe to call twice."""
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._shut))

    def _shut(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        with contextlib.suppress(OSError, FFmpegError):  # of a film that could not be written
            self._writer.close()

    async def _do(self, work: Callable[[], None]) -> None:
        await self._settle()
        self._last = asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _settle(self) -> None:
        """Wait for what was begun. Raises what it raised."""
        last, self._last = self._last, None
        if last is None:
            return
        try:
            await asyncio.shield(last)
        except OSError as error:  # FFmpeg's are, too
            if error.errno in NO_ROOM:
                raise StorageFull("there is no room on the disk for the annotated film") from None
            raise VedetteError(f"the annotated film cannot be written: {error.strerror}") from error
        except FFmpegError as error:
            raise VedetteError(f"the annotated film cannot be written: {error}") from error


class _Writer:
    """Blocking: on the recorder's thread."""

    def __init__(self, path: Path, size: tuple[int, int], sound: bool, room_bytes: int, format: Format) -> None:
        self._path = path
        self._size = size
        self._sound = sound
        self._room_bytes = room_bytes
        self._format = format
        self._container: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._audio: AudioStream | None = None
        self._reformatter = VideoReformatter()
        self._pictures = 0
        self._heard = 0
        """Samples, silence included."""

    def picture(self, frame: VideoFrame) -> None:
        if self._pictures % LOOK_EVERY == 0 and shutil.disk_usage(self._path.parent).free < self._room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._pictures += 1
        if (frame.width, frame.height) != self._size:
            pts, time_base = frame.pts, frame.time_base
            frame = self._reformatter.reformat(frame, *self._size)
            frame.pts, frame.time_base = pts, time_base
        frame.pict_type = PictureType.NONE
        container, video, _ = self._opened()
        container.mux(video.encode(frame))

    def sound(self, start_s: float, samples: Stereo) -> None:
        missing = round(start_s * PLAY_RATE) - self._heard
        while missing > SLACK_S * PLAY_RATE:
            silence = np.zeros((min(missing, PLAY_RATE), 2), np.int16)
            self._encode(silence)
            missing -= len(silence)
        self._encode(samples)

    def finish(self) -> None:
        container, video, audio = self._opened()
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
        self.close()

    def close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _encode(self, samples: Stereo) -> None:
        container, _, audio = self._opened()
        assert audio is not None
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = PLAY_RATE, Fraction(1, PLAY_RATE), self._heard
        self._heard += len(samples)
        container.mux(audio.encode(frame))

    def _opened(self) -> tuple[OutputContainer, VideoStream, AudioStream | None]:
        if self._container is None or self._video is None:
            form = self._format
            self._container = av.open(str(self._path), "w", format=form.container, options=form.container_options)
            video: VideoStream = self._container.add_stream(form.video, options=form.video_options)  # type: ignore[assignment]
            video.width, video.height = self._size
            video.pix_fmt = "yuv420p"
            video.codec_context.time_base = TIME_BASE
            self._video = video
            if self._sound:
                audio: AudioStream = self._container.add_stream(form.audio, rate=PLAY_RATE, layout="stereo")  # type: ignore[assignment]
                self._audio = audio
        return self._container, self._video, self._audio
