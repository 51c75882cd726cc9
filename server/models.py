"""The tables, as tortoise-orm models; rows never leave `store.py`. What events are found by is in `event_rows.py`.

Ids are UUIDv7 strings, times Unix seconds on the wall clock. References are plain ids without foreign keys: events are
inserted in batches that name sessions already checked by the epoch-conditional UPDATE, and nothing here cascades.
Descriptions of tables are set apart from the docstrings, so that a better docstring is no change of the schema.
"""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

ID_CHARS = 36
"""Length of a UUID in its canonical text form (RFC 9562)."""


class SourceRow(Model):
    """Where pictures and sound come from, with what it takes to build the source again after a restart."""

    id = fields.CharField(ID_CHARS, primary_key=True)
    kind = fields.CharField(16)
    name = fields.CharField(200)
    url = fields.TextField(null=True)
    device = fields.CharField(200, null=True)
    options: fields.Field[dict[str, Any] | None] = fields.JSONField(null=True)
    """What else it takes, by kind."""
    created_at = fields.FloatField()
    deleted_at = fields.FloatField(null=True)

    class Meta:
        table = "sources"
        table_description = "Where pictures and sound come from"


class SessionRow(Model):
    """One run of pipelines over a source. Whoever holds `epoch` may give out `seq`; everybody else is refused."""

    id = fields.CharField(ID_CHARS, primary_key=True)
    source_id = fields.CharField(ID_CHARS, db_index=True)
    pipelines: fields.Field[list[str]] = fields.JSONField()
    profile = fields.CharField(16)
    overlay = fields.CharField(16)
    classes: fields.Field[list[str] | None] = fields.JSONField(null=True)
    mode = fields.CharField(16, default="realtime", db_default="realtime")
    state = fields.CharField(16, db_index=True)
    reason = fields.TextField(null=True)
    owner = fields.CharField(100)
    """Name of the node that runs the session."""
    epoch = fields.IntField()
    """Rises with every change of owner."""
    lease_until = fields.FloatField(null=True)
    """The owner may be replaced after this; None where there is only one node."""
    last_seq = fields.BigIntField()
    """Seq of the newest stored event, 0 before the first."""
    event_bytes = fields.BigIntField(default=0, db_default=0)
    """What its events take, all in all; see `event_rows.EVENT_BYTES`."""
    oldest_at = fields.FloatField(null=True)
    """`at` of the oldest event that is still there; None when there is none."""
    newest_at = fields.FloatField(null=True)
    """The latest `at` of any event."""
    late_s = fields.FloatField(default=0.0, db_default=0.0)
    """By how much at most an event's `at` was before that of an event with a lower seq."""
    clock_origin = fields.FloatField(null=True)
    """Wall clock (Unix seconds, never monotonic) at media time 0; None before the first frame."""
    created_at = fields.FloatField()
    ended_at = fields.FloatField(null=True)

    class Meta:
        table = "sessions"
        table_description = "One run of pipelines over a source"
        indexes = (Index(fields=("oldest_at",)),)


class EventRow(Model):
    """One stored event; `data` is its wire form."""

    id = fields.CharField(ID_CHARS, primary_key=True)
    session_id = fields.CharField(ID_CHARS)
    seq = fields.BigIntField()
    kind = fields.CharField(32)
    source_id = fields.CharField(ID_CHARS)
    at = fields.FloatField()
    media_time = fields.FloatField(null=True)
    data: fields.Field[dict[str, object]] = fields.JSONField()

    class Meta:
        table = "events"
        table_description = "Stored events"
        unique_together = (("session_id", "seq"),)
        indexes = (Index(fields=("session_id", "kind", "seq")), Index(fields=("session_id", "at")))


class ArtifactRow(Model):
    """One file of a session, such as a picture; the file itself is with its owner, under the row's id."""

    id = fields.CharField(ID_CHARS, primary_key=True)
    session_id = fields.CharField(ID_CHARS)
    source_id = fields.CharField(ID_CHARS)
    owner = fields.CharField(100)
    """Name of the node that has the file."""
    kind = fields.CharField(16)
    media_type = fields.CharField(100)
    bytes = fields.BigIntField()
    width = fields.IntField()
    height = fields.IntField()
    sha256 = fields.CharField(64)
    at = fields.FloatField()
    """When the picture was seen."""
    media_time = fields.FloatField(null=True)
    created_at = fields.FloatField()

    class Meta:
        table = "artifacts"
        table_description = "Files of sessions"
        indexes = (Index(fields=("session_id", "id")),)
