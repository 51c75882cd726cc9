"""The envelope of every kind as one model, for whoever describes or checks what is on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import Field, RootModel, create_model

from . import KINDS
from .envelope import Event, Model

ENVELOPE = ("v", "id", "seq", "kind", "session_id", "source_id", "at", "media_time", "data")
"""What of an `Event` is on the wire, as `Event.wire` writes it."""

EXAMPLE: Mapping[str, Any] = {
    "v": 1,
    "id": "019ab3f2-9a4d-7b10-8c55-0e2f6d1c3b42",
    "seq": 412,
    "kind": "transcript",
    "sessionId": "019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10",
    "sourceId": "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60",
    "at": 1763791241.6,
    "mediaTime": 41.2,
    "data": {
        "text": "hello",
        "final": True,
        "language": "en",
        "words": [{"text": "hello", "start": 40.1, "end": 40.4, "probability": 0.93}],
        "engine": "pocketsphinx",
    },
}
"""An event as it is on the wire."""


def envelope_of(kind: str, data: type[Model]) -> type[Model]:
    """The envelope with `data` of that kind; unlike `Event`, every field is always there."""
    infos = {name: Event.model_fields[name] for name in ENVELOPE}
    fields: dict[str, Any] = {
        name: (info.annotation, Field(description=info.description)) for name, info in infos.items()
    }
    fields["kind"] = (Literal[kind], Field(description="What `data` is."))
    fields["data"] = (data, Field(description=None))
    return create_model(f"{kind.capitalize()}Event", __base__=Model, __doc__=data.__doc__, **fields)


_EVENTS: Any = Union[tuple(envelope_of(kind, data) for kind, data in KINDS.items())]  # noqa: UP007
_ROOT: Any = RootModel[Annotated[_EVENTS, Field(discriminator="kind", examples=[EXAMPLE])]]

AnyEvent: type[RootModel[Any]] = create_model(
    "AnyEvent", __base__=_ROOT, __doc__="One thing that happened in a session; `kind` says what `data` is."
)
"""An event of any kind."""
