"""What a route declares: who may use it, what it takes, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, WithJsonSchema

from tracks.errors import CODES
from tracks.events import Model

from ..roles import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


File = Annotated[bytes, WithJsonSchema({"type": "string", "contentMediaType": "application/octet-stream"})]
"""A field of a form that is a file."""


class NoQuery(Model):
    """A route without parameters in its query: any is refused."""


def example(**values: Any) -> ConfigDict:
    """`model_config` of a model with one example, in wire form; a test validates it."""
    return ConfigDict(json_schema_extra={"examples": [values]})


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body in JSON, validated before the handler runs."""

    model: type[BaseModel]
    optional: bool = False
    """Without a body, the model's defaults hold."""
    form: type[BaseModel] | None = None
    """A form with these fields may be sent instead, which the handler reads itself as it comes in."""


@dataclass(frozen=True, slots=True)
class Form:
    """`multipart/form-data`, which the handler reads itself as it comes in."""

    model: type[BaseModel]
    """Of its fields, for the document."""
    sample: str
    """A file of the repository that may be sent, for the documentation."""


@dataclass(frozen=True, slots=True)
class RawBody:
    """Bytes of some media types, which the handler reads itself as they come in."""

    media_types: tuple[str, ...]
    sample: str
    """A file of the repository that may be sent, for the documentation."""
    form: type[BaseModel] | None = None
    """The same may be sent as a form with these fields."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with the sample, for the documentation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a route answers when all is well."""

    status: int
    says: str
    model: type[BaseModel] | None = None
    """Of the JSON; None where there is none."""
    media_types: tuple[str, ...] = ()
    """What else it may be, as `Accept` or the query asks for it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers to look for, with what they say."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A method on a path, with all that clients must know."""

    method: str
    path: str
    """As aiohttp writes it: `/sessions/{session_id}`."""
    handler: Handler
    summary: str
    tag: str
    role: Role | None
    """The lowest role that may use it; None: everybody, without a token."""
    answers: tuple[Answer, ...]
    description: str = ""
    query: type[BaseModel] | None = NoQuery
    """None: the query is not looked at."""
    body: JsonBody | Form | RawBody | None = None
    errors: tuple[str, ...] = ()
    """Codes of `tracks.errors`, besides those that follow from the rest: see `codes`."""
    failure: type[BaseModel] | None = None
    """What errors look like where it is not the envelope."""
    samples: Mapping[str, str] = field(default_factory=dict)
    """Values of parameters in the path that are no ids, for the documentation."""
    curl_path: str = ""
    """The path in the documentation's line for a shell, where the variables are others than those of `curl_of`."""
    hidden: bool = False
    """Left out of the document: pages for people, and what a standard says of every such route."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def plain_path(self) -> str:
        """The path without patterns, its parameters in camelCase: `/sessions/{sessionId}`."""
        return _PARAMETER.sub(lambda found: f"{{{camel(found[1])}}}", self.path)

    @property
    def codes(self) -> tuple[str, ...]:
        """Every error code that it may answer with, by status: its own, and those of the layers around it."""
        own = {"invalid_request", "forbidden", "internal", *self.errors}
        if self.role is not None:
            own |= {"unauthorized", "rate_limited"}
        if self.parameters:
            own.add("not_found")
        if self.body is not None:
            own |= {"unsupported_media", "payload_too_large"}
        return tuple(code for code in CODES if code in own)


def camel(name: str) -> str:
    """`session_id` as it is written on the wire."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
