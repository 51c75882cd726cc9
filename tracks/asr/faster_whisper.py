"""Whisper by faster-whisper 1.2, on CTranslate2: many languages, far better than pocketsphinx, heavier.

CTranslate2 gives the global lock back while it encodes and decodes, so a thread is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from ..errors import ModelUnavailable
from ..registry import ModelSpec
from ..types import SAMPLE_RATE, Segment, Transcript, Utterance, Word
from . import NO_HINTS, AsrInfo, AsrStream, Cancelled, DecodingCancelled, Hints, never
from .asking import check_batch, check_language, merged
from .guards import Guards
from .options import Options
from .streaming import AgreeingStream, joined
from .weights import complete

MAX_BATCH = 4
"""Utterances at once; each costs the memory of one 30 s window."""
WINDOW_S = 30.0
"""What Whisper looks at; longer utterances go through it window by window."""
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried in turn until a segment passes the guards' measures: Radford et al. 2022, section 4.5."""
PREFERRED = {"cuda": ("float16", "int8_float16"), "cpu": ("int8",)}
"""What suits a device, best first; else the weights run as they are stored."""


def load(spec: ModelSpec, options: Options) -> FasterWhisperAsr:
    """The model in the folder `spec.file`. Blocking, for seconds.

    Raises ModelUnavailable when it is incomplete, damaged, or does not run on the device.
    """
    if spec.file is None:
        raise ModelUnavailable(f"{spec.name} has no folder")
    folder = complete(spec.file, spec.sha256)
    try:
        compute = spec.compute if spec.compute != "auto" else compute_for(options.device)
        model = WhisperModel(
            str(folder),
            device=options.device,
            compute_type=compute,
            cpu_threads=options.threads,
            local_files_only=True,
        )
    except Exception as error:  # CTranslate2 raises RuntimeError and ValueError, tokenizers bare Exceptions
        raise ModelUnavailable(f"recogniser {folder} does not load on {options.device}: {error}") from error
    languages = tuple(model.supported_languages)
    if spec.language and spec.language not in languages:
        raise ModelUnavailable(f"recogniser {spec.name} does not know {spec.language!r}, have: {', '.join(languages)}")
    info = AsrInfo(
        name=spec.name,
        engine="faster-whisper",
        device=options.device,
        compute=model.model.compute_type,
        languages=languages,
        reason=options.reason,
        fallback=options.fallback,
    )
    return FasterWhisperAsr(model, info, spec, options.guards)


def compute_for(device: str) -> str:
    """What the weights should be while they run on a device, as CTranslate2 names it."""
    supported = ctranslate2.get_supported_compute_types(device)
    return next((each for each in PREFERRED[device] if each in supported), "default")


class FasterWhisperAsr:
    """See `Asr`."""

    max_batch = MAX_BATCH
    follows_meanwhile = False

    def __init__(self, model: Any, info: AsrInfo, spec: ModelSpec, guards: Guards) -> None:
        """`model`: a `faster_whisper.WhisperModel`."""
        self.info = info
        self._model = model
        self._batched = BatchedInferencePipeline(model)
        self._first_time: int = model.hf_tokenizer.token_to_id("<|notimestamps|>") + 1
        self._spec = spec
        self._guards = guards

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        """See `Asr.transcribe`. Between windows of 30 s it asks whether it is cancelled."""
        hints = merged(hints, self._spec)
        check_language(hints, self.info)
        temperatures = list(TEMPERATURES) if hints.temperature is None else [hints.temperature]
        return self._alone(utterance, hints, temperatures, cancelled)

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        """See `Asr.transcribe_batch`.

        Those that the guards do not believe are decoded again alone, where higher temperatures are tried; so are those
        longer than a window, and all where the language has to be found out, which is done once in a batch.
        """
        check_batch(utterances, self.max_batch)
        hints = merged(hints, self._spec)
        check_language(hints, self.info)
        together = [
            index
            for index, each in enumerate(utterances)
            if len(each.samples) <= WINDOW_S * SAMPLE_RATE and not self._guards.silent(each.samples)
        ]
        found: dict[int, Transcript] = {}
        if len(together) > 1 and (hints.language is not None or len(self.info.languages) == 1):
            if cancelled():
                raise DecodingCancelled
            found = self._together({index: utterances[index] for index in together}, hints)
        return [
            found[index] if index in found else self.transcribe(each, hints, cancelled=cancelled)
            for index, each in enumerate(utterances)
        ]

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> AsrStream:
        """See `Asr.stream`: local agreement."""
        hints = merged(hints, self._spec)
        check_language(hints, self.info)
        temperature = hints.temperature or 0.0

        def draft(utterance: Utterance) -> Transcript:
            return self._alone(utterance, hints, [temperature], never)

        def final(utterance: Utterance, cancelled: Cancelled) -> Transcript:
            return self.transcribe(utterance, hints, cancelled=cancelled)

        return AgreeingStream(start_s, draft, final)

    def close(self) -> None:
        """Free the model; CTranslate2 holds its memory until nobody refers to it."""
        self._batched = self._model = None

    def _alone(self, utterance: Utterance, hints: Hints, temperatures: list[float], cancelled: Cancelled) -> Transcript:
        if self._guards.silent(utterance.samples):
            return Transcript("", (), hints.language, final=True)
        if cancelled():
            raise DecodingCancelled
        segments, about = self._model.transcribe(
            utterance.samples,
            language=hints.language,
            temperature=temperatures,
            initial_prompt=hints.prompt,
            hotwords=hints.hotwords,
            word_timestamps=True,
            # A window that went wrong would spoil the next one.
            condition_on_previous_text=False,
            no_speech_threshold=self._guards.no_speech_prob,
            log_prob_threshold=self._guards.avg_logprob,
            compression_ratio_threshold=self._guards.compression_ratio,
        )
        heard = []
        for segment in segments:  # each is decoded when it is asked for
            heard.append(segment)
            if cancelled():
                raise DecodingCancelled
        return self._transcript(heard, utterance, utterance.start_s, about.language)

    def _together(self, utterances: dict[int, Utterance], hints: Hints) -> dict[int, Transcript]:
        """Transcripts by index, of those that can be believed as they are."""
        samples = np.concatenate([each.samples for each in utterances.values()])
        ends = np.cumsum([len(each.samples) for each in utterances.values()]) / SAMPLE_RATE
        starts = [0.0, *ends[:-1].tolist()]
        segments, about = self._batched.transcribe(
            samples,
            language=hints.language,
            temperature=hints.temperature or 0.0,
            initial_prompt=hints.prompt,
            hotwords=hints.hotwords,
            word_timestamps=True,
            vad_filter=False,
            clip_timestamps=[{"start": a, "end": b} for a, b in zip(starts, ends.tolist(), strict=True)],
            batch_size=len(utterances),
        )
        # A segment tells its clip by nothing but the frame where it begins.
        frames = [int(each * self._model.frames_per_second) for each in starts]
        heard: dict[int, list[Any]] = {frame: [] for frame in frames}
        for segment in segments:
            heard[segment.seek].append(segment)
        found = {}
        for (index, utterance), frame, start_s in zip(utterances.items(), frames, starts, strict=True):
            if all(self._passes(segment) for segment in heard[frame]):
                found[index] = self._transcript(heard[frame], utterance, utterance.start_s - start_s, about.language)
        return found

    def _passes(self, segment: Any) -> bool:
        return bool(
            segment.compression_ratio <= self._guards.compression_ratio
            and segment.avg_logprob >= self._guards.avg_logprob
        )

    def _transcript(self, heard: Iterable[Any], utterance: Utterance, offset_s: float, language: str) -> Transcript:
        """What is to be believed of it, on the utterance's clock."""
        words: list[Word] = []
        segments: list[Segment] = []
        window: int | None = None
        for each in heard:
            start_s = each.start if each.seek == window else self._begins_s(each)
            window = each.seek
            segment = Segment(
                each.text.strip(),
                _within(start_s + offset_s, utterance),
                _within(each.end + offset_s, utterance),
                tuple(each.tokens),
                each.temperature or 0.0,
                each.avg_logprob,
                each.compression_ratio,
                each.no_speech_prob,
            )
            if not self._guards.believable(segment):
                continue
            said = [word for word in each.words or () if word.word.strip()]
            kept = self._guards.unlooped(self._words(said, utterance, start_s, offset_s))
            if kept:
                words += kept
                # Not every language puts blanks between words: the text is Whisper's own where all of it is kept.
                segments.append(segment if len(kept) == len(said) else replace(segment, text=joined(kept)))
        text = " ".join(segment.text for segment in segments)
        return Transcript(text, tuple(words), language, final=True, segments=tuple(segments))

    def _begins_s(self, first: Any) -> float:
        """When the first segment of a window begins, and its first word.

        Attention is warped onto words from the window's beginning on, so that the first word has all silence that comes
        before it (github.com/SYSTRAN/faster-whisper/issues/125). The decoder writes down when the segment begins: that
        is nearer to it, if it lies within the word.
        """
        written = first.tokens[0] - self._first_time if first.tokens else -1
        written_s = first.seek / self._model.frames_per_second + written * self._model.time_precision
        end_s = first.words[0].end if first.words else first.end
        return float(written_s if written >= 0 and first.start < written_s < end_s else first.start)

    def _words(self, heard: Iterable[Any], utterance: Utterance, from_s: float, offset_s: float) -> tuple[Word, ...]:
        """None of them begins before `from_s`."""
        words = tuple(
            Word(
                each.word.strip(),
                _within(max(each.start, from_s) + offset_s, utterance),
                _within(each.end + offset_s, utterance),
                min(max(float(each.probability), 0.0), 1.0),
            )
            for each in heard
            # Whisper fills its window of 30 s; what it hears behind the end is not there.
            if each.start + offset_s < utterance.end_s
        )
        return self._guards.audible(words, utterance.samples, utterance.start_s)


def _within(at_s: float, utterance: Utterance) -> float:
    return float(min(max(at_s, utterance.start_s), utterance.end_s))
