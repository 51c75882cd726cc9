"""The envelope that every event travels in, on every surface."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from typing import Any, Literal

import uuid_utils
from pydantic import BaseModel, ConfigDict, SerializeAsAny
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A value that crosses the wire: camelCase outside, snake_case inside, immutable, no unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    def wire(self) -> dict[str, Any]:
        """JSON-ready dictionary with camelCase keys; fields that are None by default and unset are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def wire_text(self) -> str:
        """What `wire` gives, as compact JSON text."""
        return self.model_dump_json(by_alias=True, exclude_unset=True)

    def index_labels(self) -> AbstractSet[str]:
        """By which labels a stored event with this data is found."""
        return frozenset()

    def index_text(self) -> str:
        """By the words of which text a stored event with this data is found."""
        return ""


def new_id() -> str:
    """A UUIDv7 string (RFC 9562): ids sort by the time they were made."""
    return str(uuid_utils.uuid7())


class Event(Model):
    """One thing that happened in a session.

    `seq` numbers stored events, 1, 2, 3 … per session without gaps, and is given at commit; live-only events keep None.
    """

    v: Literal[1] = 1
    id: str
    seq: int | None = None
    kind: str
    session_id: str
    source_id: str
    at: float
    """Unix seconds, wall clock."""
    media_time: float | None
    """Seconds on the session clock."""
    data: SerializeAsAny[Model]

    def wire(self) -> dict[str, Any]:
        """The envelope as every client sees it, JSON-ready."""
        return {
            "v": self.v,
            "id": self.id,
            "seq": self.seq,
            "kind": self.kind,
            "sessionId": self.session_id,
            "sourceId": self.source_id,
            "at": self.at,
            "mediaTime": self.media_time,
            "data": self.data.wire(),
        }

    def json_text(self) -> str:
        """The envelope as compact JSON text."""
        return json.dumps(self.wire(), separators=(",", ":"))


class LiveCopy(Event):
    """An event on its way to the store, for those who want it at once; it comes again, with its seq."""

    @classmethod
    def of(cls, event: Event) -> LiveCopy:
        """A copy of the event."""
        return cls.model_construct(**dict(event))

    def alone(self) -> Event:
        """The same as an event that does not come again."""
        return Event.model_construct(**dict(self))
