"""What OpenAI's audio API takes and answers, as models for the document; snake_case, as OpenAI has it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .api import File, example

_EXAMPLE_ERROR = {
    "message": "unknown model 'whisper-9', have: pocketsphinx, whisper-1",
    "type": "invalid_request_error",
    "param": "model",
    "code": "model_not_found",
}


class _Shape(BaseModel):
    """As OpenAI writes it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class TranscriptionForm(_Shape):
    """A recording, and how it is to be transcribed."""

    file: File
    """The recording; its format is told by its content."""
    model: str = Field(examples=["whisper-1"])
    """A recogniser of the registry, or a name of OpenAI's for the server's own."""
    language: str | None = None
    """What is spoken, in ISO 639-1; without it the engine finds out."""
    prompt: str | None = None
    """Text that sets style and spelling."""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: float = Field(default=0.0, ge=0, le=1)
    timestamp_granularities: list[Literal["word", "segment"]] = ["segment"]
    """`word` needs `verbose_json`."""
    stream: bool = False
    """Server-sent events, as the words come."""


class Usage(_Shape):
    """What was used."""

    type: Literal["duration"]
    seconds: int


class TranscriptionWord(_Shape):
    """One word; times are seconds of the recording."""

    word: str
    start: float
    end: float


class TranscriptionSegment(_Shape):
    """A stretch of speech; times are seconds of the recording."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class TranscriptionReply(_Shape):
    """What was said; from `task` on only in `verbose_json`."""

    model_config = example(text="hello", usage={"type": "duration", "seconds": 2})

    text: str
    usage: Usage
    task: Literal["transcribe"] | None = None
    language: str | None = None
    """The name, not the code."""
    duration: float | None = None
    """Seconds."""
    segments: list[TranscriptionSegment] | None = None
    words: list[TranscriptionWord] | None = None


_EXAMPLE_MODEL = {"id": "whisper-1", "object": "model", "created": 1763791200, "owned_by": "vedette"}


class ModelReply(_Shape):
    """A recogniser."""

    model_config = example(**_EXAMPLE_MODEL)

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Shape):
    """The recognisers."""

    model_config = example(object="list", data=[_EXAMPLE_MODEL])

    object: Literal["list"]
    data: list[ModelReply]


class OpenAIError(_Shape):
    """What went wrong."""

    code: str
    """One of ours, or OpenAI's where it has a finer one."""
    message: str
    type: str
    param: str | None
    details: dict[str, Any] | None = None


class OpenAIFailure(_Shape):
    """An error, as OpenAI's clients expect it."""

    model_config = example(error=_EXAMPLE_ERROR)

    error: OpenAIError
