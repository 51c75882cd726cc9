"""A whole recording to words: cut where nobody speaks, and heard piece by piece.

Pieces are utterances put together up to what Whisper looks at in one go ("VAD Cut & Merge": Bain et al. 2023, WhisperX,
section 2.1). Whoever speaks live gets the recogniser between two pieces, and for partial transcripts within one where
the engine can bear it, and a cancelled recording ends there or at the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

import numpy as np

from .asr import Asr, Cancelled, DecodingCancelled, Hints, never
from .dictation import NOTHING, Ask, AsrWorker
from .errors import Overloaded
from .segmenter import Change, Ended, Segmenter, SegmenterOptions
from .types import SAMPLE_RATE, Samples, Transcript, Utterance
from .vad import WINDOW_S, WINDOW_SAMPLES, Vad

PIECE_S = 28.0
"""Whisper's window is 30 s."""
MAX_PAUSE_S = 2.0
"""Longer silence is not heard at all: engines take time for it, and Whisper finds words in it."""
RETRY_S = 0.25
"""Until a recogniser that had no room is asked again by whoever has time."""


async def transcribe(
    samples: Samples, vad: Vad, worker: AsrWorker, hints: Hints, *, patient: bool = False
) -> AsyncGenerator[Transcript, None]:
    """The final transcripts of a recording's pieces, in order, with times in seconds of the recording.

    A language that the first piece was found to be in holds for all. Closing it ends the work. Raises what the
    recogniser raises; with `patient` not that it has no room, for which it then waits.
    """
    left = False

    def is_left() -> bool:
        """Whether nobody waits any more. Asked on the recogniser's thread in the midst of a piece."""
        worker.meanwhile()
        return left

    try:
        for piece in await asyncio.to_thread(pieces, samples, vad, lambda: left):
            transcript = await _heard(worker, _asking(piece, hints, is_left), patient)
            if hints.language is None and transcript.text:
                hints = replace(hints, language=transcript.language)
            yield transcript
    finally:
        left = True


def pieces(samples: Samples, vad: Vad, cancelled: Cancelled = never) -> list[Utterance]:
    """What is spoken, in stretches of `PIECE_S` at most. Blocking, 5 ms for each second."""
    segmenter, stream = Segmenter(SegmenterOptions(max_s=PIECE_S)), vad.stream()
    spoken: list[Utterance] = []
    for index, window in enumerate(_windows(samples)):
        if cancelled():
            return []
        spoken += _ended(segmenter.push(window, stream.probability(window), index * WINDOW_S))
    spoken += _ended(segmenter.flush())
    merged: list[tuple[float, float]] = []
    for each in spoken:
        if merged and each.start_s - merged[-1][1] <= MAX_PAUSE_S and each.end_s - merged[-1][0] <= PIECE_S:
            merged[-1] = (merged[-1][0], each.end_s)
        else:
            merged.append((each.start_s, each.end_s))
    return [_cut(samples, start_s, end_s) for start_s, end_s in merged]


async def _heard(worker: AsrWorker, ask: Ask, patient: bool) -> Transcript:
    while True:
        try:
            return await worker.infer(ask)
        except Overloaded:
            if not patient:
                raise
        await asyncio.sleep(RETRY_S)


def _windows(samples: Samples) -> Iterator[Samples]:
    """The last one is filled with silence."""
    for at in range(0, len(samples), WINDOW_SAMPLES):
        window = samples[at : at + WINDOW_SAMPLES]
        yield window if len(window) == WINDOW_SAMPLES else np.pad(window, (0, WINDOW_SAMPLES - len(window)))


def _ended(changes: list[Change]) -> list[Utterance]:
    return [change.utterance for change in changes if isinstance(change, Ended)]


def _cut(samples: Samples, start_s: float, end_s: float) -> Utterance:
    end_s = min(end_s, len(samples) / SAMPLE_RATE)
    return Utterance(samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)], start_s, end_s)


def _asking(piece: Utterance, hints: Hints, cancelled: Cancelled) -> Ask:
    def ask(asr: Asr) -> Transcript:
        try:
            return asr.transcribe(piece, hints, cancelled=cancelled)
        except DecodingCancelled:
            return NOTHING

    return ask
