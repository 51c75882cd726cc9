"""Events in the database, with what they are found by: written, read and removed in raw SQL.

tortoise makes an object and a statement of every row; a batch of events is one statement here. `event_labels` has a row
for every label of every event; `event_texts` has the words of every text, and `event_words` (FTS5) or a GIN index finds
them. All of it is written in one transaction.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tortoise.backends.base.client import BaseDBAsyncClient

from tracks.events import KINDS, Event, Model

from .models import EventRow
from .words import document

EVENT_BYTES = 500
"""What an event takes besides its data: its other columns and its part of all indexes, measured on both databases."""

LABELLED = tuple(kind for kind, model in KINDS.items() if model.index_labels is not Model.index_labels)
"""Kinds whose events have labels."""
COLUMNS = ("id", "session_id", "seq", "kind", "source_id", "at", "media_time", "data")

_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")

_TAKE_SEQS = """UPDATE sessions AS s SET
    last_seq = last_seq + b.count, event_bytes = event_bytes + b.size,
    late_s = {greatest}(s.late_s, b.late, COALESCE(newest_at - b.earliest, 0)),
    newest_at = {greatest}(COALESCE(newest_at, b.newest), b.newest), oldest_at = COALESCE(oldest_at, b.oldest)
    FROM {batch} WHERE s.id = b.session AND s.epoch = b.owner RETURNING id, epoch, last_seq"""

_LABELS_OF = """WITH RECURSIVE labels (label) AS (
        SELECT min(label) FROM event_labels WHERE session_id = $1
        UNION ALL SELECT (SELECT min(label) FROM event_labels WHERE session_id = $1 AND label > labels.label)
        FROM labels WHERE label IS NOT NULL
    )"""
"""The labels of a session, by a step in the index for each."""
_REMOVE = (
    f"""{_LABELS_OF} DELETE FROM event_labels WHERE session_id = $1 AND label IN (SELECT label FROM labels)
    AND kind IN ({", ".join(f"'{kind}'" for kind in LABELLED)}) AND seq BETWEEN $2 AND $3""",
    "DELETE FROM event_texts WHERE session_id = $1 AND seq BETWEEN $2 AND $3",
    "DELETE FROM events WHERE session_id = $1 AND seq BETWEEN $2 AND $3",
)


class Dialect(NamedTuple):
    """What is said differently to one of the databases."""

    mark: str
    """Before the number of a parameter."""
    take_seqs: str
    insert_events: str
    insert_labels: str
    insert_texts: str
    remove: Sequence[str]
    """Given session, first and last seq."""
    lock: str | None = None
    """Given ids of sessions."""
    index_texts: str | None = None
    """Given session, first and last seq."""
    by_column: bool = False
    """Many rows are given as one array for each column, in one statement; else row by row."""


def _numbered(statement: str) -> str:
    """As SQLite numbers its parameters."""
    return statement.replace("$", "?")


DIALECTS: Mapping[str, Dialect] = {
    "sqlite": Dialect(
        mark="?",
        take_seqs=_TAKE_SEQS.format(
            greatest="max",
            batch="""(SELECT ? AS session, ? AS owner, ? AS count, ? AS size, ? AS late, ? AS earliest, ? AS newest,
                ? AS oldest) AS b""",
        ),
        insert_events=f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        insert_labels="INSERT INTO event_labels (session_id, label, kind, seq, at) VALUES (?, ?, ?, ?, ?)",
        insert_texts="INSERT INTO event_texts (session_id, seq, kind, at, words) VALUES (?, ?, ?, ?, ?)",
        index_texts=_numbered(
            """INSERT INTO event_words (rowid, words) SELECT id, words FROM event_texts
            WHERE session_id = $1 AND seq BETWEEN $2 AND $3"""
        ),
        remove=tuple(
            _numbered(statement)
            for statement in (
                """INSERT INTO event_words (event_words, rowid, words) SELECT 'delete', id, words FROM event_texts
                WHERE session_id = $1 AND seq BETWEEN $2 AND $3""",
                *_REMOVE,
            )
        ),
    ),
    "postgres": Dialect(
        mark="$",
        take_seqs=_TAKE_SEQS.format(
            greatest="GREATEST",
            batch="""unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::float8[], $6::float8[], $7::float8[],
                $8::float8[]) AS b (session, owner, count, size, late, earliest, newest, oldest)""",
        ),
        insert_events=f"""INSERT INTO events ({", ".join(COLUMNS)})
            SELECT id, session_id, seq, kind, source_id, at, media_time, data::jsonb
            FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::float8[], $7::float8[],
                $8::text[]) AS e ({", ".join(COLUMNS)})""",
        insert_labels="""INSERT INTO event_labels (session_id, label, kind, seq, at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::float8[])""",
        insert_texts="""INSERT INTO event_texts (session_id, seq, kind, at, words)
            SELECT session_id, seq, kind, at, array_to_tsvector(string_to_array(words, ' '))
            FROM unnest($1::text[], $2::bigint[], $3::text[], $4::float8[], $5::text[])
                AS t (session_id, seq, kind, at, words)""",
        lock="SELECT id FROM sessions WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",
        remove=_REMOVE,
        by_column=True,
    ),
}


class Numbered(NamedTuple):
    """An event with its seq, and its data as JSON."""

    event: Event
    seq: int
    data: str


def dialect_of(client: BaseDBAsyncClient) -> Dialect:
    """How to speak to this database."""
    return DIALECTS[client.capabilities.dialect]


async def lock_sessions(client: BaseDBAsyncClient, ids: Collection[str]) -> None:
    """Wait until nobody else writes events of these sessions, and keep others from it until the end of the transaction.

    On SQLite a transaction that writes is alone anyway.
    """
    if lock := dialect_of(client).lock:
        await client.execute_query_dict(lock, [sorted(ids)])


class Share(NamedTuple):
    """The events of one session in a batch."""

    session_id: str
    epoch: int
    """Under which the caller owns the session."""
    events: Sequence[Event]
    data: Sequence[str]
    """Of each event, as JSON."""


async def take_seqs(client: BaseDBAsyncClient, shares: Sequence[Share]) -> list[int | None]:
    """Count events in; returns the seq of each share's first one, or None when they are not for the caller to store."""
    dialect = dialect_of(client)
    values = [_counted(share) for share in shares]
    found: list[Mapping[str, Any]] = []
    if dialect.by_column:
        found += await client.execute_query_dict(dialect.take_seqs, _columns(values)) if values else []
    else:
        for each in values:
            found += await client.execute_query_dict(dialect.take_seqs, list(each))
    last = {(row["id"], row["epoch"]): row["last_seq"] for row in found}
    return [
        last[share.session_id, share.epoch] - len(share.events) + 1 if (share.session_id, share.epoch) in last else None
        for share in shares
    ]


def _counted(share: Share) -> Sequence[Any]:
    """What a session has to know of new events: how many, what they take, and how far their times are in order."""
    events = share.events
    late_s, earliest, newest = 0.0, events[0].at, events[0].at
    for event in events:
        late_s = max(late_s, newest - event.at)
        earliest = min(earliest, event.at)
        newest = max(newest, event.at)
    size = sum(map(len, share.data)) + len(events) * EVENT_BYTES
    return share.session_id, share.epoch, len(events), size, late_s, earliest, newest, events[0].at


async def insert(client: BaseDBAsyncClient, events: Sequence[Numbered]) -> None:
    """Store events of any sessions, in the order of their seqs within each."""
    dialect = dialect_of(client)
    rows, labels, texts = [], [], []
    spans: dict[str, tuple[int, int]] = {}
    for event, seq, data in events:
        session_id, kind, at = event.session_id, event.kind, event.at
        if dialect.by_column and "\\u0000" in data:
            data = _NUL.sub(r"\1\\ufffd", data)  # Postgres has no such character
        rows.append((event.id, session_id, seq, kind, event.source_id, at, event.media_time, data))
        labels += [(session_id, label, kind, seq, at) for label in event.data.index_labels()]
        if (text := event.data.index_text()) and (words := document(session_id, text)):
            texts.append((session_id, seq, kind, at, words))
            spans[session_id] = (spans.get(session_id, (seq,))[0], seq)
    await _insert(client, dialect, dialect.insert_events, rows)
    await _insert(client, dialect, dialect.insert_labels, labels)
    await _insert(client, dialect, dialect.insert_texts, texts)
    if spans and dialect.index_texts is not None:
        await client.execute_many(dialect.index_texts, [[session_id, *span] for session_id, span in spans.items()])


async def seqs_of(client: BaseDBAsyncClient, ids: Sequence[str]) -> dict[str, int]:
    """Of those of these events that are stored."""
    found: Any = await EventRow.filter(id__in=ids).using_db(client).values_list("id", "seq")
    return dict(found)


async def get(client: BaseDBAsyncClient, event_id: str) -> Mapping[str, Any] | None:
    """One event's row."""
    mark = dialect_of(client).mark
    found = await client.execute_query_dict(f"SELECT {', '.join(COLUMNS)} FROM events WHERE id = {mark}1", [event_id])
    return found[0] if found else None


async def remove(client: BaseDBAsyncClient, session_id: str, first: int, last: int) -> None:
    """Remove the events of a session with seqs from `first` to `last`, and all that they are found by."""
    for statement in dialect_of(client).remove:
        await client.execute_query(statement, [session_id, first, last])


class Oldest(NamedTuple):
    """The session with the oldest event, and its `at`."""

    session_id: str
    at: float


async def oldest(client: BaseDBAsyncClient) -> Oldest | None:
    """Of all sessions; None when there are no events."""
    found = await client.execute_query_dict(
        "SELECT id, oldest_at FROM sessions WHERE oldest_at IS NOT NULL ORDER BY oldest_at LIMIT 1"
    )
    return Oldest(found[0]["id"], found[0]["oldest_at"]) if found else None


async def stored_bytes(client: BaseDBAsyncClient) -> int:
    """What all events take."""
    found = await client.execute_query_dict("SELECT COALESCE(sum(event_bytes), 0) AS bytes FROM sessions")
    return int(found[0]["bytes"])


async def remove_oldest(client: BaseDBAsyncClient, session_id: str, before: float, count: int) -> int:
    """Remove the first events of a session that are from before that time, `count` at most; returns how many."""
    mark = dialect_of(client).mark
    await lock_sessions(client, [session_id])
    first = await client.execute_query_dict(
        f"SELECT seq, at FROM events WHERE session_id = {mark}1 ORDER BY seq LIMIT {mark}2", [session_id, count + 1]
    )
    going = [row["seq"] for row in itertools.takewhile(lambda row: row["at"] < before, first[:count])]
    next_at = first[len(going)]["at"] if len(first) > len(going) else None
    if going:
        await remove(client, session_id, going[0], going[-1])
        # Seqs have no gaps: the share of those that go is known, and so about what they took.
        await client.execute_query(
            f"""UPDATE sessions SET oldest_at = {mark}1,
            event_bytes = event_bytes - event_bytes * {mark}2 / (last_seq - {mark}3 + 1) WHERE id = {mark}4""",
            [next_at, len(going), going[0], session_id],
        )
    else:
        await client.execute_query(f"UPDATE sessions SET oldest_at = {mark}1 WHERE id = {mark}2", [next_at, session_id])
    return len(going)


def wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with `COLUMNS` as clients see the event."""
    return {
        "v": 1,
        "id": row["id"],
        "seq": row["seq"],
        "kind": row["kind"],
        "sessionId": row["session_id"],
        "sourceId": row["source_id"],
        "at": row["at"],
        "mediaTime": row["media_time"],
        "data": json.loads(row["data"]),
    }


async def _insert(client: BaseDBAsyncClient, dialect: Dialect, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    if not rows:
        return
    if dialect.by_column:
        await client.execute_query(statement, _columns(rows))
    else:
        await client.execute_many(statement, list(rows))  # type: ignore[arg-type]  # any sequences of values


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
