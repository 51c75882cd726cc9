"""What events are found by: labels, words, and how far their times are in order; and what they take, for retention."""

import json
from typing import Any

from tortoise import fields, migrations
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from server.words import document

# No models: tortoise has no primary keys of several columns, no FTS5 and no tsvector.
TABLES = {
    "sqlite": (
        """CREATE TABLE event_labels (
            session_id VARCHAR(36) NOT NULL, label TEXT NOT NULL, kind VARCHAR(32) NOT NULL, seq BIGINT NOT NULL,
            at REAL NOT NULL, PRIMARY KEY (session_id, label, kind, seq)
        ) WITHOUT ROWID""",
        """CREATE TABLE event_texts (
            id INTEGER PRIMARY KEY, session_id VARCHAR(36) NOT NULL, seq BIGINT NOT NULL, kind VARCHAR(32) NOT NULL,
            at REAL NOT NULL, words TEXT NOT NULL, UNIQUE (session_id, seq)
        )""",
        # It is given single words: everything but ASCII belongs to a word, and spaces are between.
        """CREATE VIRTUAL TABLE event_words USING fts5(
            words, content = 'event_texts', content_rowid = 'id', tokenize = 'ascii', detail = none, columnsize = 0,
            prefix = '1 2 3'
        )""",
    ),
    "postgres": (
        """CREATE TABLE event_labels (
            session_id VARCHAR(36) NOT NULL, label TEXT NOT NULL, kind VARCHAR(32) NOT NULL, seq BIGINT NOT NULL,
            at DOUBLE PRECISION NOT NULL, PRIMARY KEY (session_id, label, kind, seq)
        )""",
        """CREATE TABLE event_texts (
            session_id VARCHAR(36) NOT NULL, seq BIGINT NOT NULL, kind VARCHAR(32) NOT NULL,
            at DOUBLE PRECISION NOT NULL, words TSVECTOR NOT NULL, PRIMARY KEY (session_id, seq)
        )""",
        "CREATE INDEX event_texts_words ON event_texts USING gin (words) WITH (fastupdate = off)",
    ),
}
LABELS = {
    "sqlite": (
        """INSERT OR IGNORE INTO event_labels (session_id, label, kind, seq, at)
            SELECT e.session_id, json_extract(o.value, '$.label'), e.kind, e.seq, e.at
            FROM events AS e, json_each(e.data, '$.objects') AS o WHERE e.kind = 'detection'""",
        """INSERT INTO event_labels (session_id, label, kind, seq, at)
            SELECT session_id, json_extract(data, '$.label'), kind, seq, at FROM events WHERE kind = 'object'""",
    ),
    "postgres": (
        """INSERT INTO event_labels (session_id, label, kind, seq, at)
            SELECT DISTINCT e.session_id, o.value ->> 'label', e.kind, e.seq, e.at
            FROM events AS e, jsonb_array_elements(e.data -> 'objects') AS o WHERE e.kind = 'detection'""",
        """INSERT INTO event_labels (session_id, label, kind, seq, at)
            SELECT session_id, data ->> 'label', kind, seq, at FROM events WHERE kind = 'object'""",
    ),
}
SAID = """SELECT session_id, seq, kind, at, data FROM events
    WHERE kind = 'transcript' AND (session_id, seq) > ($1, $2) ORDER BY session_id, seq LIMIT 1000"""
TEXT = {
    "sqlite": "INSERT INTO event_texts (session_id, seq, kind, at, words) VALUES (?, ?, ?, ?, ?)",
    "postgres": """INSERT INTO event_texts (session_id, seq, kind, at, words)
        VALUES ($1, $2, $3, $4, array_to_tsvector(string_to_array($5, ' ')))""",
}
NUMBERS = """UPDATE sessions
    SET oldest_at = n.oldest_at, newest_at = n.newest_at, late_s = n.late_s, event_bytes = n.bytes
    FROM (
        SELECT session_id, min(first_at) AS oldest_at, max(at) AS newest_at, max(high - at) AS late_s,
            sum(500 + length(CAST(data AS TEXT))) AS bytes
        FROM (
            SELECT session_id, at, data, first_value(at) OVER numbered AS first_at, max(at) OVER numbered AS high
            FROM events WINDOW numbered AS (PARTITION BY session_id ORDER BY seq)
        ) AS e
        GROUP BY session_id
    ) AS n
    WHERE n.session_id = sessions.id"""


async def fill(apps: Any, editor: Any) -> None:
    """Make the tables, and fill them from the events that there are."""
    client: BaseDBAsyncClient = editor.client
    dialect = client.capabilities.dialect
    for statement in (*TABLES[dialect], *LABELS[dialect], NUMBERS):
        await client.execute_query(statement)
    said = SAID.replace("$", "?") if dialect == "sqlite" else SAID
    after = ["", 0]
    while rows := await client.execute_query_dict(said, after):
        after = [rows[-1]["session_id"], rows[-1]["seq"]]
        texts = [(row, document(row["session_id"], json.loads(row["data"])["text"])) for row in rows]
        await client.execute_many(
            TEXT[dialect],
            [[row["session_id"], row["seq"], row["kind"], row["at"], text] for row, text in texts if text],
        )
    if dialect == "sqlite":
        await client.execute_query("INSERT INTO event_words (event_words) VALUES ('rebuild')")


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("vedette", "0002_artifacts")]  # noqa: RUF012  what tortoise writes and declares

    initial = False

    operations = [  # noqa: RUF012
        ops.AddField(model_name="SessionRow", name="event_bytes", field=fields.BigIntField(default=0, db_default=0)),
        ops.AddField(model_name="SessionRow", name="late_s", field=fields.FloatField(default=0.0, db_default=0.0)),
        ops.AddField(model_name="SessionRow", name="newest_at", field=fields.FloatField(null=True)),
        ops.AddField(model_name="SessionRow", name="oldest_at", field=fields.FloatField(null=True)),
        ops.AddIndex(model_name="SessionRow", index=Index(fields=["oldest_at"])),
        ops.RunPython(fill),
    ]
