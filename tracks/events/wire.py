"""The envelope of every kind as one model, for whoever describes or checks what is on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import Field, RootModel, create_model

from . import KINDS
from .envelope import Event, Model


def envelope_of(kind: str, data: type[Model]) -> type[Model]:
    """The envelope with `data` of that kind; unlike `Event`, every field is always there."""
    fields: dict[str, Any] = {
        name: (info.annotation, Field(description=info.description)) for name, info in Event.model_fields.items()
    }
    fields["kind"] = (Literal[kind], Field(description="What `data` is."))
    fields["data"] = (data, Field(description=None))
    return create_model(f"{kind.capitalize()}Event", __base__=Model, __doc__=data.__doc__, **fields)


_EVENTS: Any = Union[tuple(envelope_of(kind, data) for kind, data in KINDS.items())]  # noqa: UP007
_ROOT: Any = RootModel[Annotated[_EVENTS, Field(discriminator="kind")]]

AnyEvent: type[RootModel[Any]] = create_model(
    "AnyEvent", __base__=_ROOT, __doc__="One thing that happened in a session; `kind` says what `data` is."
)
"""An event of any kind."""
