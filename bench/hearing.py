"""The phase `hearing`: the server's own recogniser in the live path and in batch, beside the same engine alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tracks.asr import NO_HINTS, Asr
from tracks.asr.load import load_recogniser
from tracks.dictation import AsrWorker
from tracks.errors import VedetteError
from tracks.listener import ListenerOptions
from tracks.registry import Registry
from tracks.segmenter import SegmenterOptions
from tracks.transcribe import pieces, transcribe
from tracks.types import SAMPLE_RATE, Samples
from tracks.vad import Vad
from tracks.vad.silero import SileroVad

from .hearing_live import WatchedWorker, play, playing_core
from .hearing_times import Times, times
from .hearing_vad import listen, packets_of
from .hearing_words import Words, compare_words
from .processes import Failed
from .wer import MEDIA, clips, padded, read

CONVERSATION = "people-and-speech.mp4"
CONVERSATION_SILENCE_S = 1.2
"""Minimum silence with which each of its two stretches of speech is one."""
FILES = ("jfk.flac", CONVERSATION)
AFTER_S = 2.0
"""Of silence behind a file: what was said last ends like everything else."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Recordings to words, all at once. Each factor is seconds for a second of sound."""

    sound_s: float
    factor: float
    """Of `tracks.transcribe`."""
    engine_factor: float
    """The engine's own part of it."""
    alone_factor: float
    """The engine given the same pieces one by one, measured right after."""

    @property
    def cost(self) -> float:
        """By which part more than the engine's own time it takes."""
        return self.factor / self.engine_factor - 1


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everything that the phase measured."""

    recogniser: str
    conversation: Times
    """With `CONVERSATION_SILENCE_S`."""
    live: Sequence[Times]
    """With the server's own options."""
    playing_core: float
    """CPU that playing takes by itself, which is in that of `conversation` and `live`."""
    batch: Batch
    words: Words

    @property
    def core(self) -> float:
        """CPU of listening outside the engine, at most."""
        return max(each.core for each in (self.conversation, *self.live)) - self.playing_core


async def hearing(data_dir: Path, tell: Callable[[str], None]) -> Hearing:
    """Measure everything. Raises Failed when the shared recordings are not there, or a recogniser fails."""
    if missing := [name for name in FILES if not (MEDIA / name).is_file()]:
        raise Failed(f"{MEDIA} has no {', '.join(missing)}")
    sounds = {name: await asyncio.to_thread(read, MEDIA / name) for name in FILES}
    vad = await asyncio.to_thread(SileroVad)
    try:
        async with _recogniser(data_dir, tell) as live:
            info = (await live.start()).info
            silence = SegmenterOptions(min_silence_s=CONVERSATION_SILENCE_S)
            tell("hearing: played by the clock")
            conversation = await _times(CONVERSATION, sounds[CONVERSATION], vad, live, silence)
            played = [await _times(name, sounds[name], vad, live, SegmenterOptions()) for name in FILES]
            alone_core = await playing_core(packets_of(sounds[CONVERSATION]))
            tell("hearing: in batch")
            batch = await _batch(list(sounds.values()), vad, live)
            tell("hearing: words, in the live path and by the engine alone")
            async with _recogniser(data_dir, tell) as alone:
                spoken = await asyncio.to_thread(lambda: list(clips()))
                words = await compare_words(spoken, vad, live, alone, tell)
    except VedetteError as error:
        raise Failed(f"the recogniser failed: {error.message}") from error
    return Hearing(f"{info.name} ({info.engine} {info.compute})", conversation, played, alone_core, batch, words)


@contextlib.asynccontextmanager
async def _recogniser(data_dir: Path, tell: Callable[[str], None]) -> AsyncIterator[WatchedWorker]:
    """What the server runs when nothing else was chosen or fetched."""

    def build() -> Asr:
        return load_recogniser("auto", registry=Registry.load(), data_dir=data_dir, report=tell)

    worker = WatchedWorker(build)
    try:
        yield worker
    finally:
        await worker.close()


async def _times(name: str, samples: Samples, vad: Vad, worker: WatchedWorker, options: SegmenterOptions) -> Times:
    """Play a file by the clock."""
    frames = packets_of(padded(samples, AFTER_S))
    # Pauses are where the listener has nothing new to hear: behind what belongs to what was said.
    unbroken = SegmenterOptions(min_silence_s=options.post_roll_s)
    voiced = (await asyncio.to_thread(listen, frames, unbroken)).spoken
    played = await play(frames, vad, worker, ListenerOptions(segmenter=options), in_time=True)
    return times(name, options.min_silence_s, played, voiced)


async def _batch(sounds: Sequence[Samples], vad: Vad, worker: WatchedWorker) -> Batch:
    """Each sound in batch, and then its pieces by the engine alone."""
    watched = await worker.start()
    sound_s = took_s = engine_s = alone_s = 0.0
    for samples in sounds:
        sound_s += len(samples) / SAMPLE_RATE
        watched.answers.clear()
        began_s = time.monotonic()
        async for _ in transcribe(samples, vad, cast(AsrWorker, worker), NO_HINTS):
            pass
        took_s += time.monotonic() - began_s
        engine_s += sum(answer.took_s for answer in watched.answers)
        watched.answers.clear()
        for piece in await asyncio.to_thread(pieces, samples, vad):
            await worker.infer(lambda asr, piece=piece: asr.transcribe(piece))  # type: ignore[misc]
        alone_s += sum(answer.took_s for answer in watched.answers)
    return Batch(sound_s, took_s / sound_s, engine_s / sound_s, alone_s / sound_s)
