"""A database of the version before, with rows in it, brought up to date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from server.database import APP, FILE_NAME, Database
from server.event_rows import EVENT_BYTES
from server.store import EventLog, Session, Sessions
from tests.server.databases import Place
from tests.server.test_event_search import kind_of, picture, said, thing
from tests.server.test_store import event, new_session, stored
from tracks.events import ErrorData, Event
from tracks.events.envelope import new_id

BEFORE = "0002_artifacts"
SOURCE, A, B = "source", "01900000-0000-7000-8000-00000000000a", "01900000-0000-7000-8000-00000000000b"


async def make(place: Place, events: Sequence[Event]) -> None:
    """A database of the version before, with a source, two sessions and these events."""
    where = f"sqlite://{place.data_dir / FILE_NAME}" if place.url is None else place.url
    apps = {APP: {"models": ["server.models"], "default_connection": "old", "migrations": "server.migrations"}}
    context = TortoiseContext()
    with context:
        try:
            await context.init(config={"connections": {"old": where}, "apps": apps})
            client = context.connections.get("old")
            await MigrationExecutor(client, apps).migrate(targets=[MigrationTarget(APP, BEFORE)])
            mark = "?" if place.url is None else "$"

            async def insert(table: str, row: dict[str, Any]) -> None:
                marks = ", ".join(f"{mark}{n}" for n in range(1, len(row) + 1))
                await client.execute_query(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
                )

            await insert("sources", {"id": SOURCE, "kind": "webcam", "name": "a camera", "created_at": 1.0})
            for session_id in (A, B):
                last = sum(item.session_id == session_id for item in events)
                row = {"id": session_id, "source_id": SOURCE, "pipelines": '["vision"]', "profile": "fast"}
                row |= {"overlay": "smooth", "state": "ended", "owner": "node", "epoch": 1, "last_seq": last}
                await insert("sessions", {**row, "created_at": 1.0})
            for item in events:
                row = {"id": item.id, "session_id": item.session_id, "seq": item.seq, "kind": item.kind}
                row |= {"source_id": SOURCE, "at": item.at, "media_time": None, "data": json.dumps(item.data.wire())}
                await insert("events", row)
        finally:
            await context.close_connections()


def old_events() -> list[Event]:
    """Events of all kinds that are found by something, their ids and their times not in the order of their seqs."""
    datas = [
        said("the first word"), picture(["dog", "dog", "cat"]), thing("dog"), said("…"), picture([]),
        ErrorData(code="internal", message="the"), said("Das Wörtchen"), said("the last word"),
    ]  # fmt: skip
    made = []
    for session_id in (A, B):
        for number, data in enumerate(datas, 1):
            session = Session(*([""] * 15))  # type: ignore[arg-type]
            item = event(session, [5, 1, 9, 3, 7, 2, 8, 6][number - 1], kind_of(data), data)
            made.append(item.model_copy(update={"session_id": session_id, "source_id": SOURCE, "seq": number}))
    ids = sorted((item.id for item in made), reverse=True)
    return [item.model_copy(update={"id": new}) for item, new in zip(made, ids, strict=True)]


async def test_old_events_are_found_by_what_is_new(empty_place: Place) -> None:
    """Nothing is changed or lost, and every filter finds what was stored before, beside what is stored from now on."""
    old = old_events()
    await make(empty_place, old)
    async with empty_place.opened() as database:
        rows = {row.id: row for row in (await Sessions(database, "node").page())[0]}
        log = EventLog(database, lambda _: None)
        assert [await stored(log, rows[one]) for one in (A, B)] == [
            [item.wire() for item in old if item.session_id == one] for one in (A, B)
        ]
        log.append(event(rows[A], 4, "transcript", said("a new word")))
        log.append(event(rows[A], 10, "object", thing("dog")))
        await log.flush()

        async def found(session_id: str, **choice: Any) -> list[int]:
            page, _ = await log.page(session_id, **choice)
            return [item["seq"] for item in page]

        assert await found(A, q="word") == [1, 8, 9]
        assert await found(B, q="word") == [1, 8]
        assert await found(B, q="wort") == [7]
        assert await found(A, q="the wor", limit=1) == [1]
        assert await found(A, label="dog") == [2, 3, 10]
        assert await found(B, label="cat", kinds=["detection"]) == [2]
        assert await found(A, since=6, until=8) == [5, 7, 8]
        assert await found(B, until=1) == [2]
        assert await found(A, until=4) == [2, 4, 6, 9]
        await log.close()
        assert await numbers(database, A) == {"last_seq": 10, "oldest_at": 5.0, "newest_at": 10.0, "late_s": 7.0}


async def test_what_old_events_take_is_counted(empty_place: Place) -> None:
    """As if they had been stored by this version, within a few percent: retention by size needs to know."""
    old = old_events()
    await make(empty_place, old)
    async with empty_place.opened() as database:
        session = await new_session(database)
        log = EventLog(database, lambda _: None)
        for item in old:
            if item.session_id == A:
                log.append(item.model_copy(update={"session_id": session.id, "id": new_id()}))
        await log.close()
        sizes = [await size(database, one) for one in (A, session.id)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert sizes[0] > 8 * EVENT_BYTES


async def size(database: Database, session_id: str) -> int:
    found = await database.read(
        lambda client: client.execute_query_dict(f"SELECT event_bytes FROM sessions WHERE id = '{session_id}'")
    )
    return int(found[0]["event_bytes"])


async def numbers(database: Database, session_id: str) -> dict[str, Any]:
    found = await database.read(
        lambda client: client.execute_query_dict(
            f"SELECT last_seq, oldest_at, newest_at, late_s FROM sessions WHERE id = '{session_id}'"
        )
    )
    return dict(found[0])
