"""A server that hears beeps as words, for tests of the routes that take recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path

from aiohttp import web

from server.middleware import add_middlewares, runner_options
from server.openai_audio import add_openai_audio
from server.origin import AccessPolicy
from server.routes import audio
from server.transcription import Transcriber
from server.uploads import Uploads
from tests.fakes_speech import BeepAsr, LoudVad, sound
from tests.tracks.media.clips import wav
from tracks.asr import NO_HINTS, Asr, Cancelled, DecodingCancelled, Hints, never
from tracks.dictation import AsrWorker, asr_worker
from tracks.errors import ModelUnavailable, NotFound
from tracks.media.limits import Limits
from tracks.types import Transcript, Utterance
from tracks.vad import Vad

CLIP = wav(sound(0.5, 0.3, 0.5, 0.4, 3.5, 0.6, 0.7))
"""6.5 s with the words b3 and b4, a long pause, and b6: two pieces."""
TEXT = "b3 b4 b6"


class KeenAsr(BeepAsr):
    """Hears beeps, remembers what it was told of them, and ends when nobody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.hints: list[Hints] = []
        self.cancelled = False
        self.endless = False

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        self.hints.append(hints)
        self.entered.set()
        while self.endless:
            if cancelled():
                self.cancelled = True
                raise DecodingCancelled
            self.gate.wait(0.01)
        return super().transcribe(utterance, hints, cancelled=cancelled)


class Ears:
    """The recognisers of a test: one, under two names."""

    names: Sequence[str] = ("beeps", "org/other")

    def __init__(self, build: Callable[[], Asr]) -> None:
        self._make = build
        self._worker = asr_worker(self._build)
        self.asked: list[str | None] = []
        self.missing = ""
        """What of the model is, if anything."""

    def worker(self, name: str | None = None) -> AsrWorker:
        if name is not None and name not in self.names:
            raise NotFound(f"unknown asr model {name!r}, have: {', '.join(self.names)}")
        self.asked.append(name)
        return self._worker

    def held(self, worker: AsrWorker) -> AbstractContextManager[None]:
        return nullcontext()

    async def close(self) -> None:
        await self._worker.close()

    def _build(self) -> Asr:
        if self.missing:
            raise ModelUnavailable(f"{self.missing} is missing")
        return self._make()


class Earshot:
    """A running server."""

    def __init__(self, url: str, asr: KeenAsr, ears: Ears, folder: Path) -> None:
        self.url, self.asr, self.ears, self.folder = url, asr, ears, folder

    def left(self) -> list[Path]:
        """Files on the disk."""
        return list(self.folder.iterdir())


@asynccontextmanager
async def earshot(
    tmp_path: Path, limits: Limits, build: Callable[[], Asr] | None = None, vad: Vad | None = None
) -> AsyncIterator[Earshot]:
    """A server with only these routes; real ears where `build` and `vad` make some."""
    asr, folder = KeenAsr(), tmp_path / "uploads"
    ears, uploads = Ears(build or (lambda: asr)), Uploads(folder, limits.max_bytes)
    await uploads.start()
    transcriber = Transcriber(ears, vad or LoudVad(), uploads, limits)
    app = web.Application()
    add_middlewares(app, AccessPolicy("127.0.0.1", frozenset(), frozenset()))
    audio.add_routes(app, transcriber)
    add_openai_audio(app, transcriber)
    # As it runs in production: aiohttp's test server cancels handlers of clients that leave, which that does not.
    runner = web.AppRunner(app, **runner_options())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield Earshot(f"http://{host}:{port}", asr, ears, folder)
    finally:
        await runner.cleanup()
        asr.endless = False
        asr.gate.set()
        await ears.close()
