"""Control messages of the data channels and of `/ws/stream`: text, JSON, one object each, told apart by `type`.

The models of what a client sends and what the server answers. A data channel takes a part of them: media is RTP there,
and its session is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from tracks.errors import InvalidRequest, VedetteError
from tracks.events import KINDS, Model

PROTOCOL = "vedette.v1"
MAX_INCOMING_BYTES = 64 * 1024
"""Of one message on a data channel."""
MAX_OUTGOING_BYTES = 48 * 1024
"""Of one event on a data channel."""

Pictures = Literal["none", "binary", "json"]
"""How a client of `/ws/stream` wants annotated pictures."""


def _known(kinds: frozenset[str] | None) -> frozenset[str] | None:
    for kind in sorted(kinds or ()):
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind[:40]!r}, have: {', '.join(KINDS)}")
    return kinds


Id = Annotated[str, Field(max_length=64)]
Kinds = Annotated[frozenset[str] | None, AfterValidator(_known)]
"""Kinds of events that a client wants; None for all."""
Ts = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=-1e10, lt=1e10)]
"""Seconds on the client's own clock."""


class Attach(Model):
    """The client resumes: every stored event after `after` is sent again, then what follows."""

    type: Literal["attach"]
    id: Id | None = None
    after: int = Field(default=0, strict=True, ge=0, lt=2**53)
    kinds: Kinds = None


class AttachTo(Attach):
    """The client follows a session, and with `publish` brings its pictures and sound."""

    session_id: str = Field(max_length=64)
    annotated: Pictures = "none"
    publish: bool = Field(default=False, strict=True)


class Start(Model):
    """The client starts a session, and brings its pictures and sound unless the source is one that the server opens."""

    type: Literal["start"]
    id: Id | None = None
    source_id: str | None = Field(default=None, max_length=64)
    """None makes a `webcam` source."""
    name: str | None = Field(default=None, min_length=1, max_length=200)
    """Of the source that is made."""
    pipelines: list[str] = Field(default=["vision"], max_length=10)
    profile: str | None = Field(default=None, max_length=200)
    overlay: Literal["smooth", "exact"] | None = None
    classes: list[str] | None = Field(default=None, max_length=1000)
    kinds: Kinds = None
    annotated: Pictures = "none"


class Frame(Model):
    """One picture: JPEG, PNG or WebP in base64, or as a data: URL."""

    type: Literal["frame"]
    ts: Ts
    data: str
    frame_id: Id | None = None


class Audio(Model):
    """20 to 1000 ms of sound: base64 of PCM, 16 bits little-endian, mono."""

    type: Literal["audio"]
    ts: Ts
    data: str
    rate: Literal[8000, 16000, 48000] = 16000


class End(Model):
    """The client has sent everything; answered when the last of it has been dealt with."""

    type: Literal["end"]
    id: Id


class Ping(Model):
    """The client asks whether anybody is there."""

    type: Literal["ping"]
    id: Id | None = None


class Command(Model):
    """The client wants something done; answered by one `reply` with the same id."""

    type: Literal["command"]
    id: Id
    name: str = Field(max_length=64)
    args: dict[str, Any] = Field(default_factory=dict)


ChannelMessage = Attach | Ping | Command
StreamMessage = Start | AttachTo | Frame | Audio | Command | End | Ping

M = TypeVar("M")


class Unreadable(InvalidRequest):
    """Not JSON, not an object, or of a type that does not exist."""


class Malformed(InvalidRequest):
    """A message whose fields are not what they should be; `id` is the client's, where it could be read."""

    def __init__(self, message: str, id: str | None) -> None:
        super().__init__(message)
        self.id = id


class Incoming(Generic[M]):
    """Reads what clients send."""

    def __init__(self, messages: Any) -> None:
        """`messages` is a union of models with a `type`."""
        self._adapter: TypeAdapter[M] = TypeAdapter(Annotated[messages, Field(discriminator="type")])
        self._types = [str(each.model_fields["type"].annotation.__args__[0]) for each in messages.__args__]

    def parse(self, text: str) -> M:
        """A client's message. Raises Unreadable or Malformed, which name what is wrong."""
        try:
            value = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Unreadable(f"message is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise Unreadable(f"message is not an object but {type(value).__name__}")
        kind = value.get("type")
        if kind not in self._types:
            raise Unreadable(f"unknown type {repr(kind)[:40]}, have: {', '.join(self._types)}")
        value.pop("trace", None)  # a W3C traceparent is accepted in any message
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            id = value.get("id")
            raise Malformed(describe(error), id if isinstance(id, str) and len(id) <= 64 else None) from None


def channel_messages() -> Incoming[ChannelMessage]:
    """What a data channel takes."""
    return Incoming(ChannelMessage)


def stream_messages() -> Incoming[StreamMessage]:
    """What `/ws/stream` takes."""
    return Incoming(StreamMessage)


def describe(error: ValidationError) -> str:
    """The first problems of a validation error as one line."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        place = ".".join(str(part) for part in problem["loc"])
        problems.append(f"{place}: {problem['msg']}" if place else problem["msg"])
    return "; ".join(problems)


def encode(message: Mapping[str, Any]) -> str:
    """A message as compact JSON text."""
    return json.dumps(message, separators=(",", ":"))


def encode_event(event: dict[str, Any]) -> str:
    """An event envelope as text; one that is too big goes without its data, which `GET /events/{id}` still has."""
    text = encode(event)
    if len(text.encode()) > MAX_OUTGOING_BYTES:
        text = encode({**event, "data": {"truncated": True}})
    return text


def pong(ping: Ping, at: float) -> dict[str, Any]:
    """The answer to a `ping`; `at` is Unix seconds."""
    return answer("pong", ping.id, at=at)


def answer(type: str, id: str | None, **values: Any) -> dict[str, Any]:
    """A control message that answers one with this id."""
    return {"type": type, **({} if id is None else {"id": id}), **values}


def error_message(error: VedetteError, *, fatal: bool = False, id: str | None = None) -> dict[str, Any]:
    """The `error` message of one connection's fault."""
    return answer("error", id, error=error.body(), fatal=fatal)


def reply(id: str, result: dict[str, Any]) -> dict[str, Any]:
    """The answer to a command that did what it should."""
    return {"type": "reply", "id": id, "ok": True, "result": result}


def refusal(id: str, error: VedetteError) -> dict[str, Any]:
    """The answer to a command that could not be done."""
    return {"type": "reply", "id": id, "ok": False, "error": error.body()}
