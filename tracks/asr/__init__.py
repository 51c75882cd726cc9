"""What a recogniser is. Back ends live beside this file, one each, and are named in `tracks.registry.RECOGNISERS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..types import Samples, Transcript, Utterance


@dataclass(frozen=True, slots=True)
class AsrInfo:
    """Which recogniser runs, where, and why; shown by /health, the terminal and the console."""

    name: str
    """The model's."""
    engine: str
    """faster-whisper, pocketsphinx or openai."""
    device: str
    """cpu, cuda, or the host of a remote endpoint."""
    compute: str
    """Of what the weights are while they run: int8, float16, ... ; empty when nobody says."""
    languages: tuple[str, ...]
    """ISO 639-1 codes that it knows; empty: not known, any may be asked for."""
    reason: str
    """Why this one, in words."""
    fallback: bool = False
    """True when a recogniser that was asked for could not be had."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of an utterance beforehand; each engine uses what it can."""

    language: str | None = None
    """ISO 639-1; None: the model's own setting, else the engine finds out."""
    prompt: str | None = None
    """Text that could have come before, for Whisper and remote engines."""
    hotwords: str | None = None
    """Words to expect, for Whisper."""
    temperature: float | None = None
    """Of sampling, 0 to 1, for Whisper and remote engines; None: 0, and more only where that fails."""


NO_HINTS = Hints()

Cancelled = Callable[[], bool]
"""Asked now and then while an engine works, on its thread: True ends the work with `DecodingCancelled`."""


class DecodingCancelled(Exception):
    """Nobody waits for this transcript any more."""


def never() -> bool:
    """The `Cancelled` of whoever waits to the end."""
    return False


class AsrStream(Protocol):
    """One utterance while it is spoken. Call on the thread of its recogniser, like the recogniser itself."""

    def push(self, samples: Samples) -> Transcript:
        """Take the samples since the last push, any number of them, and return what has been said so far. Blocking.

        With Whisper and remote engines, words that two pushes in a row agreed on are in all later transcripts, the
        final one included. Pocketsphinx follows what is said word by word, changes its mind as it goes, and gives
        every partial word the probability 1; only what is final is firm.
        """

    def finish(self, utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
        """The final transcript of the utterance as it turned out to be; the stream is over.

        It may be longer than what was pushed, or shorter where it was cut. Blocking, may take as long as
        `Asr.transcribe`, and raises what that raises.
        """

    def abandon(self) -> None:
        """End the stream without a transcript; does nothing after `finish`."""


class Asr(Protocol):
    """One loaded recogniser. Confined to one thread: build it, call it and close it through a `Worker`."""

    info: AsrInfo
    max_batch: int
    """How many utterances `transcribe_batch` takes."""
    follows_meanwhile: bool
    """Whether a stream may be pushed from within `cancelled` without holding up the final transcript that is made."""

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        """The final transcript of an utterance of any length. Blocking.

        Times are the utterance's. Raises ModelUnavailable when the engine fails, Overloaded when a remote one refuses
        for now, DecodingCancelled when `cancelled` says so.
        """

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        """The transcripts of up to `max_batch` utterances, in their order, in one go where the engine can. Blocking.

        Raises what `transcribe` raises, and InvalidRequest for more utterances than that.
        """

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> AsrStream:
        """Begin to hear an utterance that starts at `start_s` while it is spoken. Blocking.

        Raises Overloaded when the engine hears as many at once as it can: wait for the end and use `transcribe`.
        """

    def close(self) -> None:
        """Free the model."""
