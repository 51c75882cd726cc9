"""One utterance with the recogniser, from its first words to its final transcript; and how a recogniser is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from .asr import Asr, AsrStream, DecodingCancelled, Hints
from .events import SpokenWord, TranscriptData
from .types import Transcript, Utterance
from .worker import Worker

Ask = Callable[[Asr], Transcript]
"""What is asked of a recogniser, on its thread."""

AsrWorker = Worker[Asr, Ask, Transcript]

MAX_PENDING = 128
"""Each of 64 sessions has one request under way, and one where it lets go of an utterance."""


def asr_worker(build: Callable[[], Asr], *, niceness: int = 0) -> AsrWorker:
    """A recogniser on a thread of its own. Every request is a call by itself: they differ in what they do, and whoever
    asks first should not wait for the others of a batch.
    """
    return Worker("asr", build, _answer, batch_key=id, max_pending=MAX_PENDING, niceness=niceness)


def _answer(asr: Asr, asks: Sequence[Ask]) -> list[Transcript]:
    return [ask(asr) for ask in asks]


NOTHING = Transcript(text="", words=(), language=None, final=True)


class Dictation:
    """What the recogniser has heard of one utterance.

    `partial`, `final` and `abandon` make requests for the recogniser's thread; one of them at a time may be under way.
    `cancelled` is asked on that thread whether anybody still waits.
    """

    def __init__(self, hints: Hints, cancelled: Callable[[], bool]) -> None:
        self.told = False
        """Whether anybody has been shown a partial transcript."""
        self._hints = hints
        self._cancelled = cancelled
        self._stream: AsrStream | None = None
        self._pushed = 0

    @property
    def begun(self) -> bool:
        """Whether the recogniser has heard any of it."""
        return self._stream is not None

    @property
    def heard(self) -> int:
        """How many samples the recogniser has heard."""
        return self._pushed

    def partial(self, utterance: Utterance) -> Ask:
        """Ask what has been said in the utterance so far; each time it is the one before, and what came since."""

        def ask(asr: Asr) -> Transcript:
            if self._stream is None:
                self._stream = asr.stream(utterance.start_s, self._hints)
            rest = utterance.samples[self._pushed :]
            try:
                transcript = self._stream.push(rest)
            except BaseException:
                stream, self._stream, self._pushed = self._stream, None, 0
                stream.abandon()
                raise
            self._pushed = len(utterance.samples)
            return transcript

        return ask

    def final(self, utterance: Utterance) -> Ask:
        """Ask for the final transcript of the whole utterance. May be asked again when it failed."""

        def ask(asr: Asr) -> Transcript:
            stream, self._stream = self._stream, None
            try:
                if stream is None:
                    return asr.transcribe(utterance, self._hints, cancelled=self._cancelled)
                transcript = stream.finish(utterance, cancelled=self._cancelled)
                # Where a cut was made further back than what had been heard, words of the next one may be firm.
                return transcript if self._pushed <= len(utterance.samples) else until(transcript, utterance.end_s)
            except DecodingCancelled:
                return NOTHING

        return ask

    def abandon(self) -> Ask:
        """Ask the recogniser to forget the utterance."""

        def ask(asr: Asr) -> Transcript:
            stream, self._stream = self._stream, None
            if stream is not None:
                stream.abandon()
            return NOTHING

        return ask


def until(transcript: Transcript, end_s: float) -> Transcript:
    """The part of a transcript before `end_s`, where the sound is cut: words with their middle there, and no segments,
    for what an engine thinks of one does not hold for a part of it."""
    kept = tuple(word for word in transcript.words if word.start_s + word.end_s < 2 * end_s)
    end = 0
    for word in kept:
        found = transcript.text.find(word.text, end)
        end = end if found < 0 else found + len(word.text)
    return replace(transcript, text=transcript.text[:end], words=kept, segments=())


def told(transcript: Transcript, engine: str, *, final: bool) -> TranscriptData:
    """What an event tells of a transcript; `engine` is the model that heard it."""
    words = [
        SpokenWord(
            text=word.text,
            start=round(word.start_s, 3),
            end=round(word.end_s, 3),
            probability=round(word.probability, 3),
        )
        for word in transcript.words
    ]
    return TranscriptData(
        text=transcript.text, final=final, language=transcript.language, words=words, speaker=None, engine=engine
    )
