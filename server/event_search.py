"""A page of a session's events by any filter, in a time that does not depend on how many there are.

Every page is put together from streams, each of which walks along one index in the order of seq and ends after a page:
one for all events, or one for every kind; with a label, those of the label's index; with words, that of the text index.
Neither database would do that by itself for several kinds: both sort all events of these kinds first.

Times are not quite in the order of seqs. The session knows by how much at most (`late_s`), so that `since` and `until`
become bounds of seq by two steps in the index of times, and only what is near them is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient

from .event_rows import COLUMNS, LABELLED, Dialect, dialect_of
from .words import query

SLACK_S = 0.001
"""Added to what events are late by at most: times are floats, with steps of a quarter of a microsecond."""

_BOUNDS = """SELECT
    (SELECT seq FROM events WHERE session_id = $1 AND at < $2 - s.late_s ORDER BY at DESC LIMIT 1) AS low,
    (SELECT seq FROM events WHERE session_id = $1 AND at > $3 + s.late_s ORDER BY at LIMIT 1) AS high
    FROM sessions AS s WHERE s.id = $1"""
"""All events up to `low` are before `since`, all from `high` on after `until`."""
_EVER = 1e300
"""Later than everything."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a session are wanted, in the order of their seqs."""

    session_id: str
    after: int
    """Only those with a higher seq."""
    count: int
    """At most so many."""
    kinds: Collection[str] | None = None
    """Only these."""
    since: float | None = None
    """Unix seconds on `at`, included, as `until`."""
    until: float | None = None
    label: str | None = None
    """Only those with this label."""
    q: str | None = None
    """Only those whose text has all of these words; of the last one the beginning is enough."""


async def find(client: BaseDBAsyncClient, selection: Selection) -> Sequence[Any]:
    """The rows, with the columns of an event. Raises InvalidRequest for a `q` without words."""
    words = None if selection.q is None else query(selection.session_id, selection.q)
    search = _Search(dialect_of(client), selection, words)
    if selection.since is not None or selection.until is not None:
        await search.bound(client)
    return await search.run(client)


class _Search:
    """One statement in the making."""

    def __init__(self, dialect: Dialect, selection: Selection, words: Sequence[str] | None) -> None:
        self._dialect = dialect
        self._selection = selection
        self._words = words
        self._values: list[Any] = []
        self._session = self._value(selection.session_id)
        self._count = self._value(selection.count)
        self._low = selection.after
        self._high: int | None = None

    async def bound(self, client: BaseDBAsyncClient) -> None:
        """Narrow the seqs that have to be looked at down to those near the times that are wanted."""
        since, until = self._selection.since, self._selection.until
        values = [
            self._selection.session_id,
            -_EVER if since is None else since - SLACK_S,
            _EVER if until is None else until + SLACK_S,
        ]
        found = await client.execute_query_dict(_BOUNDS.replace("$", self._dialect.mark), values)
        for row in found:
            self._low = max(self._low, row["low"] or 0)
            self._high = row["high"]

    async def run(self, client: BaseDBAsyncClient) -> Sequence[Any]:
        """Ask, unless nothing can be found."""
        streams = self._streams()
        if not streams:
            return []
        union = " UNION ALL ".join(f"SELECT seq FROM ({stream}) AS stream{n}" for n, stream in enumerate(streams))
        # CROSS JOIN: SQLite then takes the tables in this order.
        statement = f"""SELECT {", ".join(f"e.{column}" for column in COLUMNS)}
            FROM (SELECT seq FROM ({union}) AS found ORDER BY seq LIMIT {self._count}) AS page CROSS JOIN events AS e
            WHERE e.session_id = {self._session} AND e.seq = page.seq ORDER BY page.seq"""
        return await client.execute_query_dict(statement, self._values)

    def _streams(self) -> list[str]:
        wanted = self._selection
        if self._words is not None:
            return [self._texts(self._words)]
        kinds = None if wanted.kinds is None else sorted(set(wanted.kinds))
        if wanted.label is not None:
            label = self._value(wanted.label)
            return [
                self._stream("event_labels", f"label = {label} AND kind = {self._value(kind)}")
                for kind in LABELLED
                if kinds is None or kind in kinds
            ]
        if kinds is None:
            return [self._stream("events")]
        return [self._stream("events", f"kind = {self._value(kind)}") for kind in kinds]

    def _stream(self, table: str, condition: str = "", joined: str = "", order: str = "seq") -> str:
        conditions = [f"{table}.session_id = {self._session}", f"{table}.seq > {self._value(self._low)}"]
        if self._high is not None:
            conditions.append(f"{table}.seq < {self._value(self._high)}")
        # `+ 0` keeps both databases from taking the index of times, which is not in the order of seqs.
        if self._selection.since is not None:
            conditions.append(f"{table}.at + 0 >= {self._value(self._selection.since)}")
        if self._selection.until is not None:
            conditions.append(f"{table}.at + 0 <= {self._value(self._selection.until)}")
        if condition:
            conditions.append(condition)
        where = " AND ".join(conditions)
        return f"SELECT {table}.seq FROM {joined}{table} WHERE {where} ORDER BY {order} LIMIT {self._count}"

    def _texts(self, words: Sequence[str]) -> str:
        conditions = []
        if self._selection.kinds is not None:
            kinds = ", ".join(self._value(kind) for kind in sorted(set(self._selection.kinds)))
            conditions.append(f"event_texts.kind IN ({kinds or 'NULL'})")
        if self._selection.label is not None:
            conditions.append(
                f"""EXISTS (SELECT 1 FROM event_labels AS l WHERE l.session_id = {self._session}
                AND l.label = {self._value(self._selection.label)} AND l.kind = event_texts.kind
                AND l.seq = event_texts.seq)"""
            )
        if self._dialect.mark == "$":
            lexemes = " & ".join(f"'{word}'" for word in words)
            conditions.append(f"event_texts.words @@ CAST({self._value(lexemes + ':*')}::text AS tsquery)")
            return self._stream("event_texts", " AND ".join(conditions))
        phrases = " AND ".join(f'"{word}"' for word in words)
        # Rows of FTS5 come in the order of their ids, which within a session is that of seqs.
        conditions += [
            f"event_words MATCH {self._value(phrases + ' *')}",
            "event_texts.id = event_words.rowid",
            f"""event_words.rowid > COALESCE((SELECT id FROM event_texts WHERE session_id = {self._session}
            AND seq <= {self._value(self._low)} ORDER BY seq DESC LIMIT 1), 0)""",
        ]
        return self._stream(
            "event_texts", " AND ".join(conditions), joined="event_words CROSS JOIN ", order="event_words.rowid"
        )

    def _value(self, value: Any) -> str:
        """Adds a parameter; returns its mark."""
        self._values.append(value)
        return f"{self._dialect.mark}{len(self._values)}"
