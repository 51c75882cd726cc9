"""Control messages of the data channels (and of `/ws/stream`): text, JSON, one object each, told apart by `type`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tracks.errors import InvalidRequest, VedetteError
from tracks.events import Model

MAX_INCOMING_BYTES = 64 * 1024
MAX_OUTGOING_BYTES = 48 * 1024


class Attach(Model):
    """The client resumes: every stored event after `after` is sent again, then what follows."""

    type: Literal["attach"]
    id: str | None = Field(default=None, max_length=64)
    after: int = Field(default=0, ge=0)


class Ping(Model):
    """The client asks whether anybody is there."""

    type: Literal["ping"]
    id: str | None = Field(default=None, max_length=64)


class Command(Model):
    """The client wants something done; answered by one `reply` with the same id."""

    type: Literal["command"]
    id: str = Field(max_length=64)
    name: str
    args: dict[str, Any] = Field(default_factory=dict)


Incoming = Attach | Ping | Command

_INCOMING: TypeAdapter[Incoming] = TypeAdapter(Annotated[Incoming, Field(discriminator="type")])


def parse(text: str) -> Incoming:
    """A client's message. Raises InvalidRequest that names what is wrong."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"message is not JSON: {error}") from None
    if isinstance(value, dict):
        value.pop("trace", None)  # a W3C traceparent is accepted in any message
    try:
        return _INCOMING.validate_python(value)
    except ValidationError as error:
        raise InvalidRequest(describe(error)) from None


def describe(error: ValidationError) -> str:
    """The first problems of a validation error as one line."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:5]:
        place = ".".join(str(part) for part in problem["loc"])
        problems.append(f"{place}: {problem['msg']}" if place else problem["msg"])
    return "; ".join(problems)


def encode(message: dict[str, Any]) -> str:
    """A message as compact JSON text."""
    return json.dumps(message, separators=(",", ":"))


def encode_event(event: dict[str, Any]) -> str:
    """An event envelope as text; one that is too big goes without its data, which `GET /events/{id}` still has."""
    text = encode(event)
    if len(text.encode()) > MAX_OUTGOING_BYTES:
        text = encode({**event, "data": {"truncated": True}})
    return text


def error_message(error: VedetteError, *, fatal: bool = False, id: str | None = None) -> dict[str, Any]:
    """The `error` message of one connection's fault."""
    message: dict[str, Any] = {"type": "error", "error": error.body(), "fatal": fatal}
    if id is not None:
        message["id"] = id
    return message


def reply(id: str, result: dict[str, Any]) -> dict[str, Any]:
    """The answer to a command that did what it should."""
    return {"type": "reply", "id": id, "ok": True, "result": result}


def refusal(id: str, error: VedetteError) -> dict[str, Any]:
    """The answer to a command that could not be done."""
    return {"type": "reply", "id": id, "ok": False, "error": error.body()}
