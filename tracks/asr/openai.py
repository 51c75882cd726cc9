"""A recogniser elsewhere, behind OpenAI's `POST /audio/transcriptions`: another Vedette, speaches, vLLM, OpenAI itself.

Sound leaves this machine, so nothing chooses it by itself. Source: https://platform.openai.com/docs/api-reference/audio.
"""

from __future__ import annotations

import asyncio
import io
import math
import wave
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ModelUnavailable, Overloaded
from ..registry import ModelSpec
from ..types import SAMPLE_RATE, Segment, Transcript, Utterance, Word
from . import NO_HINTS, AsrInfo, AsrStream, Cancelled, DecodingCancelled, Hints, never
from .asking import check_batch, merged
from .guards import Guards
from .languages import code_of
from .options import Endpoint, Options
from .pcm import to_pcm
from .streaming import AgreeingStream, joined

MAX_BATCH = 4
"""Requests under way at once."""
RETRIES = 1
CANCEL_CHECK_S = 0.05
_BUSY = (408, 409, 429, 503)

R = TypeVar("R")


class _SpokenWord(BaseModel):
    word: str
    start: float
    end: float
    probability: float | None = None
    """Not OpenAI's, but several servers have it."""


class _SpokenSegment(BaseModel):
    text: str
    start: float
    end: float
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


class _Answer(BaseModel):
    """What is used of `verbose_json`."""

    model_config = ConfigDict(extra="ignore")

    text: str
    language: str | None = None
    words: list[_SpokenWord] | None = None
    segments: list[_SpokenSegment] | None = None


def load(spec: ModelSpec, options: Options) -> OpenAiAsr:
    """The recogniser at `options.endpoint`; `spec.hub` is its name there. Does not ask it anything yet.

    Raises ModelUnavailable when there is no endpoint.
    """
    endpoint = options.endpoint
    host = urlsplit(endpoint.base_url).hostname if endpoint is not None else None
    if endpoint is None or host is None or spec.hub is None:
        raise ModelUnavailable(f"recogniser {spec.name} needs OPENAI_BASE_URL, such as http://127.0.0.1:8001/v1")
    info = AsrInfo(
        name=spec.name,
        engine="openai",
        device=host,
        compute="",
        languages=(),
        reason=options.reason,
        fallback=options.fallback,
    )
    return OpenAiAsr(endpoint, spec.hub, info, spec, options.guards)


class OpenAiAsr:
    """See `Asr`. Has an event loop of its own, which runs on the calling thread while a call lasts."""

    max_batch = MAX_BATCH
    follows_meanwhile = False

    def __init__(self, endpoint: Endpoint, model: str, info: AsrInfo, spec: ModelSpec, guards: Guards) -> None:
        self.info = info
        self._endpoint = endpoint
        self._model = model
        self._spec = spec
        self._guards = guards
        self._runner = asyncio.Runner()
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            # The client insists on one; who needs none takes any.
            api_key=endpoint.api_key or "none",
            timeout=endpoint.timeout_s,
            max_retries=RETRIES,
        )

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        """See `Asr.transcribe`."""
        return self.transcribe_batch([utterance], hints, cancelled=cancelled)[0]

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        """See `Asr.transcribe_batch`: as many requests at once."""
        check_batch(utterances, self.max_batch)
        asked = merged(hints, self._spec)
        return self._run(self._all(utterances, asked), cancelled)

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> AsrStream:
        """See `Asr.stream`: local agreement, where the endpoint is to be asked for partials at all."""

        def draft(utterance: Utterance) -> Transcript:
            return self.transcribe(utterance, hints)

        def final(utterance: Utterance, cancelled: Cancelled) -> Transcript:
            return self.transcribe(utterance, hints, cancelled=cancelled)

        return AgreeingStream(start_s, draft if self._endpoint.partials else None, final)

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.close())
        self._runner.close()

    def _run(self, work: Coroutine[Any, Any, R], cancelled: Cancelled) -> R:
        """The result of `work`, which is cancelled when `cancelled` says so. Raises DecodingCancelled then.

        `cancelled` is asked while the loop stands, and may call the recogniser again: that runs this loop on.
        """
        loop = self._runner.get_loop()
        task = loop.create_task(work)
        while not task.done():
            if cancelled():
                task.cancel()
                loop.run_until_complete(asyncio.wait({task}))
                raise DecodingCancelled
            loop.run_until_complete(asyncio.wait({task}, timeout=CANCEL_CHECK_S))
        return task.result()

    async def _all(self, utterances: Sequence[Utterance], hints: Hints) -> list[Transcript]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(each, hints)) for each in utterances]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return [task.result() for task in tasks]

    async def _one(self, utterance: Utterance, hints: Hints) -> Transcript:
        if self._guards.silent(utterance.samples):
            return Transcript("", (), hints.language, final=True)
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                raw = await self._client.audio.transcriptions.with_raw_response.create(
                    model=self._model,
                    file=("speech.wav", _wav(utterance), "audio/wav"),
                    response_format="verbose_json",
                    timestamp_granularities=["word", "segment"],
                    language=hints.language or openai.omit,
                    prompt=hints.prompt or openai.omit,
                    temperature=openai.omit if hints.temperature is None else hints.temperature,
                )
            return self._transcript(_Answer.model_validate_json(raw.http_response.text), utterance, hints)
        except ValidationError as error:
            raise self._unavailable(f"gave no verbose_json: {error.errors()[0]['msg']}") from error
        except (TimeoutError, openai.APITimeoutError) as error:
            raise self._unavailable(f"gave no answer within {self._endpoint.timeout_s:g} s") from error
        except openai.APIConnectionError as error:
            raise self._unavailable(f"cannot be reached: {error.__cause__ or error}") from error
        except openai.APIStatusError as error:
            kind = Overloaded if error.status_code in _BUSY else ModelUnavailable
            raise kind(f"{self._where()} answered {error.status_code}: {_said(error)}") from error

    def _unavailable(self, why: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self._where()} {why}")

    def _where(self) -> str:
        return f"the recogniser {self._model} at {self.info.device}"

    def _transcript(self, answer: _Answer, utterance: Utterance, hints: Hints) -> Transcript:
        """What is to be believed of it, on the utterance's clock."""

        def placed(at_s: float) -> float:
            return min(max(utterance.start_s + at_s, utterance.start_s), utterance.end_s)

        segments = [
            Segment(
                each.text.strip(),
                placed(each.start),
                placed(each.end),
                tuple(each.tokens),
                each.temperature,
                each.avg_logprob,
                each.compression_ratio,
                each.no_speech_prob,
            )
            for each in answer.segments or ()
        ]
        believed = [segment for segment in segments if self._guards.believable(segment)]
        words = [
            Word(each.word.strip(), placed(each.start), placed(each.end), _probability(each, segments, utterance))
            for each in answer.words or ()
            if each.word.strip()
        ]
        language = code_of(answer.language) or hints.language
        if not words:  # it knows no word timings: what it says is all there is
            text = " ".join(segment.text for segment in believed) if segments else answer.text.strip()
            return Transcript(text, (), language, final=True, segments=tuple(believed))
        kept = [word for word in words if not segments or _segment_of(word, segments) in believed]
        heard = self._guards.unlooped(self._guards.audible(kept, utterance.samples, utterance.start_s))
        text = answer.text.strip() if len(heard) == len(words) else joined(heard)
        return Transcript(text, heard, language, final=True, segments=tuple(believed if heard else ()))


def _segment_of(word: Word, segments: Sequence[Segment]) -> Segment:
    """The segment that a word is in, or is nearest to."""
    middle_s = (word.start_s + word.end_s) / 2
    return min(segments, key=lambda each: max(each.start_s - middle_s, middle_s - each.end_s, 0.0))


def _probability(said: _SpokenWord, segments: Sequence[Segment], utterance: Utterance) -> float:
    """The word's own, else the mean of its segment's tokens; 0 where the endpoint gives neither."""
    if said.probability is not None:
        return min(max(said.probability, 0.0), 1.0)
    if not segments:
        return 0.0
    placed = Word(said.word, utterance.start_s + said.start, utterance.start_s + said.end, 0.0)
    return min(math.exp(_segment_of(placed, segments).avg_logprob), 1.0)


def _wav(utterance: Utterance) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(to_pcm(utterance.samples))
    return file.getvalue()


def _said(error: openai.APIStatusError) -> str:
    """The endpoint's own words, cut short: they end up in logs."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:200]
