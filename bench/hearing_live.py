"""Sound played to the live path, by the clock or as fast as the recogniser keeps up, and what came of it and when."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from server.recognisers import NICENESS
from tracks.asr import NO_HINTS, Asr, AsrStream, Cancelled, Hints, never
from tracks.dictation import MAX_PENDING, Ask
from tracks.errors import VedetteError
from tracks.events import Model
from tracks.events.speech import SpeechData, TranscriptData
from tracks.listener import Listener, ListenerOptions
from tracks.speech import SpeechTrack
from tracks.stats import Stats
from tracks.types import Samples, Transcript, Utterance
from tracks.vad import Vad
from tracks.worker import Worker

from .hearing_vad import PACKET_SAMPLES, RATE_HZ
from .proc import cpu

PACKET_S = PACKET_SAMPLES / RATE_HZ
PATIENCE_S = 600.0
"""How long a busy machine may take for the last words, or, where the clock does not count, for any."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the listener."""

    what: str
    """started, stopped, partial or final."""
    media_s: float
    """Seconds of the sound: of the onset, of the end of speech, of the end of what a transcript covers."""
    at_s: float
    """When it was told: seconds since the playing began, so a listener in no time would tell of `media_s` then."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One final transcript as the engine gave it."""

    utterance: Utterance
    took_s: float
    """By the engine alone, on its thread."""


@dataclass(frozen=True, slots=True)
class Played:
    """What one session told."""

    told: Sequence[Told]
    answers: Sequence[Answer]
    drops: dict[str, int]
    core: float
    """CPU time of this process outside the engine, for each second of sound; the playing itself is in it."""

    def of(self, what: str) -> list[Told]:
        """The events of one kind, in the order they were told."""
        return [each for each in self.told if each.what == what]


class Watched:
    """An `Asr` that notes how long each final transcript took."""

    def __init__(self, asr: Asr) -> None:
        self.info, self.max_batch, self.follows_meanwhile = asr.info, asr.max_batch, asr.follows_meanwhile
        self.answers: list[Answer] = []
        self._asr = asr

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        """See `Asr.transcribe`."""
        return self.note(utterance, lambda: self._asr.transcribe(utterance, hints, cancelled=cancelled))

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        """See `Asr.transcribe_batch`."""
        return self._asr.transcribe_batch(utterances, hints, cancelled=cancelled)

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> AsrStream:
        """See `Asr.stream`."""
        return WatchedStream(self, self._asr.stream(start_s, hints))

    def close(self) -> None:
        """See `Asr.close`."""
        self._asr.close()

    def note(self, utterance: Utterance, ask: Callable[[], Transcript]) -> Transcript:
        """Ask, and note how long it took."""
        began_s = time.monotonic()
        transcript = ask()
        self.answers.append(Answer(utterance, time.monotonic() - began_s))
        return transcript


class WatchedStream:
    """An `AsrStream` of `Watched`."""

    def __init__(self, watched: Watched, stream: AsrStream) -> None:
        self._watched = watched
        self._stream = stream

    def push(self, samples: Samples) -> Transcript:
        """See `AsrStream.push`."""
        return self._stream.push(samples)

    def finish(self, utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
        """See `AsrStream.finish`."""
        return self._watched.note(utterance, lambda: self._stream.finish(utterance, cancelled=cancelled))

    def abandon(self) -> None:
        """See `AsrStream.abandon`."""
        self._stream.abandon()


class WatchedWorker(Worker[Watched, Ask, Transcript]):
    """The recogniser's thread as the server runs it, which tells when nothing is asked of it."""

    def __init__(self, build: Callable[[], Asr]) -> None:
        super().__init__(
            "asr",
            lambda: Watched(build()),
            lambda asr, asks: [ask(asr) for ask in asks],
            batch_key=id,
            max_pending=MAX_PENDING,
            niceness=NICENESS,
        )
        self._asked: set[asyncio.Future[Transcript]] = set()

    def submit(
        self, make: Callable[[], Ask], *, timeout_s: float | None = None, quick: bool = False
    ) -> asyncio.Future[Transcript]:
        """See `Worker.submit`."""
        future = super().submit(make, timeout_s=timeout_s, quick=quick)
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        return future

    async def idle(self) -> None:
        """Wait until everything that was asked has been answered."""
        while self._asked:
            await asyncio.wait(self._asked)


class Player(MediaStreamTrack):
    """Frames of 20 ms, each when its last sample has been spoken, or as soon as `turn` lets it."""

    kind = "audio"

    def __init__(self, frames: Sequence[AudioFrame], turn: Callable[[int], Any]) -> None:
        super().__init__()
        self._frames = frames
        self._turn = turn
        self._next = 0

    async def recv(self) -> AudioFrame:
        """The next frame. Raises MediaStreamError behind the last."""
        if self._next == len(self._frames):
            self.stop()
            raise MediaStreamError
        await self._turn(self._next)
        self._next += 1
        return self._frames[self._next - 1]


async def playing_core(frames: Sequence[AudioFrame]) -> float:
    """CPU time that playing by the clock takes by itself, for each second of sound."""
    began_s, before = time.monotonic(), cpu(os.getpid())
    player = Player(frames, lambda number: _until(began_s, number))
    with contextlib.suppress(MediaStreamError):
        while True:
            await player.recv()
    return (cpu(os.getpid()) - before).total_s / (len(frames) * PACKET_S)


async def _until(began_s: float, number: int) -> None:
    """Until the last sample of a frame has been spoken."""
    await asyncio.sleep(began_s + (number + 1) * PACKET_S - time.monotonic())


class _Pts:
    """Media time is what the frames say."""

    def media_time(self, seconds: float) -> float:
        return seconds


async def play(
    frames: Sequence[AudioFrame], vad: Vad, worker: WatchedWorker, options: ListenerOptions, *, in_time: bool
) -> Played:
    """Play the frames to a `SpeechTrack` and its `Listener`; all final transcripts are waited for.

    `in_time`: by the clock. Else each frame waits until the recogniser has nothing to do, so that nothing is dropped.
    Raises VedetteError when the recogniser fails.
    """
    watched = await worker.start()
    watched.answers.clear()
    told: list[Told] = []
    failures: list[VedetteError] = []
    began_s = time.monotonic()

    def emit(kind: str, data: Model, media_s: float, *, stored: bool) -> None:
        at_s = time.monotonic() - began_s
        if isinstance(data, SpeechData):
            told.append(Told(data.phase, media_s, at_s))
        elif isinstance(data, TranscriptData):
            told.append(Told("final" if data.final else "partial", media_s, at_s, data.text))

    async def when_idle(number: int) -> None:
        await asyncio.sleep(0)  # the listener asks for what the frame before made due
        await asyncio.sleep(0)
        await worker.idle()

    stats = Stats()
    patient = replace(options, last_words_s=PATIENCE_S, mute_s=options.mute_s if in_time else PATIENCE_S)
    listener = Listener(vad, worker, patient, stats, emit=emit, on_error=failures.append)  # type: ignore[arg-type]
    listener.start()
    track = SpeechTrack(listener, stats)
    before = cpu(os.getpid())
    track.attach(Player(frames, (lambda number: _until(began_s, number)) if in_time else when_idle), _Pts())
    with contextlib.suppress(MediaStreamError):
        while True:
            await track.recv()
    used = cpu(os.getpid()) - before
    await listener.close()
    await track.close()
    if failures:
        raise failures[0]
    # Pocketsphinx has a process of its own: what is done on its thread here is not the engine.
    outside_s = used.total_s if watched.info.engine == "pocketsphinx" else used.total_s - used.detector_s
    return Played(told, list(watched.answers), dict(stats.drops), outside_s / (len(frames) * PACKET_S))
