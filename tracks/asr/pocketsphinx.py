"""Pocketsphinx (Carnegie Mellon, 2006): hears English without any download, and many words wrong.

Its models are in its wheel (US English, 134,000 words). It writes words as its dictionary has them: this file makes
them look like text, and invents no punctuation. Source: https://cmusphinx.github.io, binding 5.1.1.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelUnavailable, Overloaded
from ..registry import ModelSpec
from ..types import Samples, Segment, Transcript, Utterance, Word
from . import NO_HINTS, AsrInfo, AsrStream, Cancelled, DecodingCancelled, Hints, never
from .asking import check_batch, check_language
from .guards import Guards, compression_ratio
from .options import Options
from .pcm import to_pcm
from .sphinx_pipe import BYTES_PER_SECOND, FRAMES_PER_SECOND, Op, Spoken
from .sphinx_process import SphinxProcess
from .streaming import joined

LANGUAGE = "en"
MAX_STREAMS = 2
"""A core keeps up with two voices; each stream's decoder takes 96 MB."""
RESTART_S = 5.0
"""From a process that did not start to the next try: partial transcripts are asked for twice a second."""
_VARIANT = re.compile(r"\(\d+\)$")
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_FIRST_PERSON = re.compile(r"i('.*)?")


def load(spec: ModelSpec, options: Options) -> PocketsphinxAsr:
    """Start its process. Blocking, one to two seconds. Raises ModelUnavailable when it does not start."""
    version = importlib.metadata.version("pocketsphinx")
    info = AsrInfo(
        name=spec.name,
        engine="pocketsphinx",
        device="cpu",
        compute=version,
        languages=(LANGUAGE,),
        reason=options.reason,
        fallback=options.fallback,
    )
    return PocketsphinxAsr(info, options.guards)


class PocketsphinxAsr:
    """See `Asr`. Other processes hear, one what is final and one who speaks, so that neither waits for the other; when
    one broke, the next call starts a new one."""

    max_batch = 1
    follows_meanwhile = True

    def __init__(self, info: AsrInfo, guards: Guards) -> None:
        self.info = info
        self._guards = guards
        self._process: SphinxProcess | None = None
        self._live: SphinxProcess | None = None
        self._free = list(range(MAX_STREAMS))
        self._start_again_s = 0.0
        try:
            self.process()
            self.live_process()
        except BaseException:
            self.close()
            raise

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        """See `Asr.transcribe`. While it waits for its process it asks whether it is cancelled; a stream may be pushed,
        opened or ended then."""
        check_language(hints, self.info)
        if self._guards.silent(utterance.samples):
            return Transcript("", (), LANGUAGE, final=True)
        process = self.process()
        samples = to_pcm(utterance.samples)
        stop = False

        def look() -> None:
            nonlocal stop
            stop = stop or cancelled()

        process.ask(Op.WHOLE, samples=samples)
        for _ in range(0, len(samples), BYTES_PER_SECOND):
            look()
            if stop:
                process.ask(Op.END)
                raise DecodingCancelled
            process.ask(Op.STEP, meanwhile=look)
        heard = process.ask(Op.END, meanwhile=look)
        words = self._guards.audible(
            to_words(heard, utterance.start_s, utterance.end_s), utterance.samples, utterance.start_s
        )
        return _whole(words)

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        """See `Asr.transcribe_batch`."""
        check_batch(utterances, self.max_batch)
        return [self.transcribe(utterance, hints, cancelled=cancelled) for utterance in utterances]

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> AsrStream:
        """See `Asr.stream`: decoding goes on from push to push."""
        check_language(hints, self.info)
        if not self._free:
            raise Overloaded(f"{self.info.name} follows {MAX_STREAMS} voices at once, and no more")
        process = self.live_process()
        number = self._free.pop()
        try:
            process.ask(Op.OPEN, number)
        except BaseException:
            self._free.append(number)
            raise
        return _Stream(self, process, number, start_s, hints)

    def process(self) -> SphinxProcess:
        """The process for what is final, a new one if it is gone. Raises ModelUnavailable when that does not start."""
        self._process = self._alive(self._process, Op.WHOLE)
        return self._process

    def live_process(self) -> SphinxProcess:
        """The process for streams, a new one if it is gone. Raises ModelUnavailable when that does not start."""
        self._live = self._alive(self._live, Op.OPEN)
        return self._live

    def shut(self, process: SphinxProcess, number: int) -> None:
        """A stream has ended."""
        self._free.append(number)
        if process is self._live and process.alive:
            with contextlib.suppress(ModelUnavailable):  # whoever needs it next gets a new one
                process.ask(Op.SHUT, number)

    def _alive(self, process: SphinxProcess | None, ready_for: Op) -> SphinxProcess:
        """The process, or a new one in its place."""
        if process is not None and process.alive:
            return process
        if process is not None:
            process.close()
        left_s = self._start_again_s - time.monotonic()
        if left_s > 0:
            raise ModelUnavailable(f"{self.info.name} did not start; tried again in {left_s:.0f} s at the earliest")
        try:
            return SphinxProcess(ready_for=ready_for)
        except (ModelUnavailable, OSError):
            self._start_again_s = time.monotonic() + RESTART_S
            raise

    def close(self) -> None:
        """End the processes."""
        for process in (self._process, self._live):
            if process is not None:
                process.close()
        self._process = self._live = None


class _Stream:
    """Partials as the search goes on; what is final is heard again from the start, knowing the whole voice."""

    def __init__(self, asr: PocketsphinxAsr, process: SphinxProcess, number: int, start_s: float, hints: Hints) -> None:
        self._asr = asr
        self._process = process
        self._number = number
        self._start_s = start_s
        self._hints = hints
        self._count = 0
        self._open = True

    def push(self, samples: Samples) -> Transcript:
        self._count += len(samples)
        end_s = self._start_s + self._count * 2 / BYTES_PER_SECOND
        words = to_words(self._process.ask(Op.PUSH, self._number, to_pcm(samples)), self._start_s, end_s)
        return Transcript(joined(words), words, LANGUAGE, final=False)

    def finish(self, utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
        self.abandon()
        return self._asr.transcribe(utterance, self._hints, cancelled=cancelled)

    def abandon(self) -> None:
        if self._open:
            self._open = False
            self._asr.shut(self._process, self._number)


def to_words(heard: Sequence[Spoken], start_s: float, end_s: float) -> tuple[Word, ...]:
    """The spoken words without silences, noises and the numbers of pronunciations; "I" with its capital."""
    words = (
        Word(
            _VARIANT.sub("", each.word),
            min(start_s + each.first_frame / FRAMES_PER_SECOND, end_s),
            min(start_s + (each.last_frame + 1) / FRAMES_PER_SECOND, end_s),
            min(max(each.probability, 0.0), 1.0),
        )
        for each in heard
        if not _FILLER.fullmatch(each.word)
    )
    return tuple(
        replace(word, text=word.text.capitalize()) if _FIRST_PERSON.fullmatch(word.text) else word for word in words
    )


def _whole(words: tuple[Word, ...]) -> Transcript:
    if not words:
        return Transcript("", (), LANGUAGE, final=True)
    text = joined(words)
    mean_logprob = float(np.mean(np.log([max(word.probability, 1e-6) for word in words])))
    segment = Segment(
        text, words[0].start_s, words[-1].end_s, avg_logprob=mean_logprob, compression_ratio=compression_ratio(text)
    )
    return Transcript(text, words, LANGUAGE, final=True, segments=(segment,))
