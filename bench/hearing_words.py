"""Whether the live path hears worse than the engine by itself does, on the same sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tracks.asr import Asr, Hints
from tracks.listener import ListenerOptions
from tracks.types import SAMPLE_RATE, Samples, Transcript, Utterance
from tracks.vad import Vad

from .hearing_live import Played, WatchedWorker, play
from .hearing_vad import packets_of
from .wer import Clip, Errors, word_errors

PAUSE_S = 1.5
"""Of silence between two clips: longer than what ends an utterance."""


@dataclass(frozen=True, slots=True)
class Words:
    """How many words were heard wrong, pooled over all clips."""

    clips: int
    sound_s: float
    live: Errors
    whole: Errors
    """By the engine alone, each clip in one piece."""
    utterances: Errors
    """By the engine alone, on the utterances that the live path cut."""
    drops: dict[str, int]

    @property
    def cost(self) -> float:
        """By how many points the live path is worse than the engine that is given whole clips."""
        return 100 * (self.live.rate - self.whole.rate)

    @property
    def handling_cost(self) -> float:
        """The part of it that is not for where the utterances were cut."""
        return 100 * (self.live.rate - self.utterances.rate)


async def compare_words(
    clips: Sequence[Clip], vad: Vad, live: WatchedWorker, alone: WatchedWorker, tell: Callable[[str], None]
) -> Words:
    """Hear the clips one after the other in one session, and beside that one by one with an engine that does nothing
    else. Raises VedetteError when one of them fails."""
    await asyncio.gather(live.start(), alone.start())
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    sound = np.concatenate([part for clip in clips for part in (clip.samples, pause)])
    ends_s: list[float] = np.cumsum([(len(clip.samples) + len(pause)) / SAMPLE_RATE for clip in clips]).tolist()
    playing = asyncio.create_task(play(packets_of(sound), vad, live, ListenerOptions(), in_time=False))
    try:
        whole = await _all(alone, [_utterance(clip.samples) for clip in clips], tell, "alone, whole clips")
        played = await playing
    finally:
        playing.cancel()
    cut = [answer.utterance for answer in played.answers]
    pieces = await _all(alone, cut, tell, "alone, utterances")
    return Words(
        len(clips),
        len(sound) / SAMPLE_RATE,
        _errors(clips, _by_clip([(each.media_s, each.text) for each in played.of("final")], ends_s)),
        _errors(clips, whole),
        _errors(clips, _by_clip([(each.end_s, text) for each, text in zip(cut, pieces, strict=True)], ends_s)),
        _lost(played),
    )


async def _all(
    worker: WatchedWorker, utterances: Sequence[Utterance], tell: Callable[[str], None], what: str
) -> list[str]:
    texts = []
    for number, utterance in enumerate(utterances, 1):
        texts.append((await worker.infer(_asking(utterance))).text)
        if number % 10 == 0:
            tell(f"hearing: {what}: {number} of {len(utterances)}")
    return texts


def _asking(utterance: Utterance) -> Callable[[Asr], Transcript]:
    return lambda asr: asr.transcribe(utterance, Hints())


def _utterance(samples: Samples) -> Utterance:
    return Utterance(samples, 0.0, len(samples) / SAMPLE_RATE)


def _by_clip(texts: Sequence[tuple[float, str]], ends_s: Sequence[float]) -> list[str]:
    """The texts that end in each clip, joined."""
    joined = [""] * len(ends_s)
    for end_s, text in texts:
        index = min(int(np.searchsorted(ends_s, end_s)), len(joined) - 1)
        joined[index] = f"{joined[index]} {text}".strip()
    return joined


def _errors(clips: Sequence[Clip], heard: Sequence[str]) -> Errors:
    return sum((word_errors(c.reference, text) for c, text in zip(clips, heard, strict=True)), Errors(0, 0))


def _lost(played: Played) -> dict[str, int]:
    return {name: count for name, count in played.drops.items() if count}
