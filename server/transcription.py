"""Recordings that clients send, to words: who may have it done, how, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aiohttp import web

from tracks.asr import AsrInfo, Hints
from tracks.asr.asking import check_language
from tracks.dictation import AsrWorker
from tracks.errors import Overloaded
from tracks.media.decode import Recording, read_audio
from tracks.media.limits import Limits
from tracks.transcribe import transcribe
from tracks.types import Segment, Transcript, Word
from tracks.vad import Vad

from .uploads import Uploads

MAX_AT_ONCE = 4
"""Recordings received or worked on at a time: each takes up to 512 MiB of disk and 40 MB of memory."""
RETRY_S = 5.0
LOOK_S = 0.2
"""How often it is looked whether the client is still there."""

T = TypeVar("T")


class Recognisers(Protocol):
    """The recognisers that this server has."""

    @property
    def names(self) -> Sequence[str]:
        """Of the registry."""

    def worker(self, name: str | None = None) -> AsrWorker:
        """The one of that name, or the server's own. Raises NotFound, naming the choices."""

    def held(self, worker: AsrWorker) -> AbstractContextManager[None]:
        """The worker is not closed meanwhile."""


def wire_s(seconds: float) -> float:
    """Seconds in an answer: milliseconds are more than any engine knows."""
    return round(seconds, 3)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a recording, and what it took; times are seconds of the recording."""

    text: str
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]
    language: str | None
    duration_s: float
    info: AsrInfo
    took_s: float
    """Decoding and recognising."""


class Hearing:
    """One recording, decoded. `Transcriber.open` makes it."""

    def __init__(self, recording: Recording, vad: Vad, worker: AsrWorker, info: AsrInfo, hints: Hints, began_s: float):
        self.duration_s = recording.duration_s
        self.info = info
        self._recording = recording
        self._vad = vad
        self._worker = worker
        self._hints = hints
        self._began_s = began_s

    def parts(self) -> AsyncGenerator[Transcript, None]:
        """The transcript as it comes, piece by piece; pieces with nothing in them are left out."""
        return _spoken(transcribe(self._recording.samples, self._vad, self._worker, self._hints))

    async def whole(self) -> Heard:
        """The whole transcript."""
        async with aclosing(self.parts()) as parts:
            return self.put_together([part async for part in parts])

    def put_together(self, parts: Sequence[Transcript]) -> Heard:
        """The transcript that these parts are."""
        return Heard(
            " ".join(part.text for part in parts),
            tuple(word for part in parts for word in part.words),
            tuple(segment for part in parts for segment in part.segments or _whole(part)),
            next((part.language for part in parts), self._hints.language),
            self.duration_s,
            self.info,
            time.monotonic() - self._began_s,
        )


class Transcriber:
    """Takes recordings from clients and has them heard."""

    def __init__(self, recognisers: Recognisers, vad: Vad, uploads: Uploads, limits: Limits) -> None:
        self.recognisers = recognisers
        self.uploads = uploads
        self._vad = vad
        self._limits = limits
        self._at_once = 0

    @contextmanager
    def place(self) -> Iterator[ExitStack]:
        """A place for one recording, from the first byte to the last word. Raises Overloaded when there is none."""
        if self._at_once >= MAX_AT_ONCE:
            raise Overloaded(
                f"{MAX_AT_ONCE} recordings are worked on, which is all at once that this server does",
                {"retryAfter": RETRY_S},
            )
        self._at_once += 1
        try:
            with ExitStack() as place:
                yield place
        finally:
            self._at_once -= 1

    async def open(self, place: ExitStack, path: Path, name: str | None, hints: Hints) -> Hearing:
        """Decode a file for the recogniser of that name, which stays as long as the place is taken.

        Raises as `read_audio`, and what its recogniser raises.
        """
        began_s = time.monotonic()
        worker = self.recognisers.worker(name)
        place.enter_context(self.recognisers.held(worker))
        info = (await worker.start()).info
        check_language(hints, info)
        return Hearing(await read_audio(path, limits=self._limits), self._vad, worker, info, hints, began_s)


async def while_connected(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; cancelled when the client leaves, for which aiohttp itself does not end a handler.

    Raises ConnectionResetError then.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait((task,), timeout=LOOK_S))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has left")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _whole(part: Transcript) -> tuple[Segment, ...]:
    """A part as one segment, where its engine makes none."""
    return (Segment(part.text, part.words[0].start_s, part.words[-1].end_s),) if part.words else ()


async def _spoken(parts: AsyncGenerator[Transcript, None]) -> AsyncGenerator[Transcript, None]:
    async with aclosing(parts):
        async for part in parts:
            if part.text:
                yield part
