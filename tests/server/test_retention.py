"""Old events go by age and by room, in small steps, and what is left stays whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from server import event_rows
from server.database import Database
from server.retention import BATCH_EVENTS, KEPT_S, SHARE, Retention
from server.store import EventLog, Session
from tests.server.databases import Place
from tests.server.test_event_search import kind_of, picture, said, thing
from tests.server.test_store import LOCK_MS, event, new_session, stored
from tests.waiting import until
from tracks.events import ErrorData


async def seqs(log: EventLog, session: Session) -> list[object]:
    return [item["seq"] for item in await stored(log, session)]


async def fill(log: EventLog, session: Session, ats: Sequence[float]) -> None:
    """Events of every kind that is found by something, at these times."""
    datas = said("a word"), thing("dog"), picture(["dog", "cat"]), ErrorData(code="internal", message="x")
    for number, at in enumerate(ats):
        data = datas[number % len(datas)]
        log.append(event(session, 0, kind_of(data), data).model_copy(update={"at": at}))
    await log.flush()


async def numbers(database: Database) -> dict[str, tuple[Any, ...]]:
    found = await database.read(
        lambda client: client.execute_query_dict("SELECT id, event_bytes, oldest_at FROM sessions")
    )
    return {row["id"]: (row["event_bytes"], row["oldest_at"]) for row in found}


async def test_events_go_by_age(database: Database) -> None:
    """In every session those that are too old, with all that they were found by; the others stay as they were."""
    old, young = await new_session(database), await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, old, [float(at) for at in range(20)])
    await fill(log, young, [float(at) for at in range(15, 35)])
    before = await stored(log, young)
    retention = Retention(database, 10.0, None, now=lambda: 30.0)
    await retention.tidy()
    assert retention.removed == 20 + 5
    assert await seqs(log, old) == []
    assert await stored(log, young) == before[5:]
    page, _ = await log.page(young.id, label="dog")
    assert [item["seq"] for item in page] == [6, 7, 10, 11, 14, 15, 18, 19]
    page, _ = await log.page(young.id, q="word")
    assert [item["seq"] for item in page] == [9, 13, 17]
    left = await numbers(database)
    assert left[old.id] == (0, None)
    assert left[young.id][1] == 20.0
    await log.close()


async def test_events_go_by_room_the_oldest_of_all_sessions_first(database: Database) -> None:
    """Until all take no more than they may; the session that began first does not go first for that."""
    long, short = await new_session(database), await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, long, [float(at) for at in range(0, 3000, 3)])
    await fill(log, short, [float(at) for at in range(1000, 2000)])
    full = sum(size for size, _ in (await numbers(database)).values())
    retention = Retention(database, None, full // 2, now=lambda: 1e6)
    await retention.tidy()
    left = sum(size for size, _ in (await numbers(database)).values())
    assert full // 2 - full * BATCH_EVENTS / 2000 <= left <= full // 2
    assert retention.bytes == left
    ats = [[item["at"] for item in await stored(log, session)] for session in (long, short)]
    assert len(ats[0]) + len(ats[1]) == pytest.approx(1000, abs=BATCH_EVENTS + 50)
    # What is left of both begins at about the same time: a batch of each is at most 600 s long.
    assert abs(ats[0][0] - ats[1][0]) <= 600
    assert ats[0][-1] == 2997
    await log.close()


async def test_the_youngest_stay_however_much_room_they_take(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody may come back for them; that there is too little room is told once."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, session, [0.0, 1.0, 2.0, KEPT_S, KEPT_S + 1])
    retention = Retention(database, None, 1, now=lambda: KEPT_S + 2)
    for _ in range(2):
        await retention.tidy()
        assert await seqs(log, session) == [3, 4, 5]
    assert len([record for record in caplog.records if "more than" in record.message]) == 1
    await log.close()


async def test_nothing_goes_without_a_bound(database: Database) -> None:
    """Neither for its age nor for room."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, session, [0.0, 1.0])
    retention = Retention(database, None, None)
    await retention.tidy()
    assert await seqs(log, session) == [1, 2]
    assert retention.bytes > 2 * event_rows.EVENT_BYTES
    await log.close()


async def test_a_session_goes_on_after_its_beginning_has_gone(database: Database) -> None:
    """New events get the next seq; who asks from the beginning gets the first that is left, page by page."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, session, [float(at) for at in range(10)])
    await Retention(database, 1.0, None, now=lambda: 9.0).tidy()
    await fill(log, session, [20.0, 21.0])
    assert await seqs(log, session) == [9, 10, 11, 12]
    page, after = await log.page(session.id, after=2, limit=3)
    assert ([item["seq"] for item in page], after) == ([9, 10, 11], 11)
    await Retention(database, 1.0, None, now=lambda: 100.0).tidy()
    assert await numbers(database) == {session.id: (0, None)}
    await fill(log, session, [200.0])
    assert await seqs(log, session) == [13]
    assert (await numbers(database))[session.id][1] == 200.0
    await log.close()


class Watched:
    """A database, and how it was written to: how long in all, in seconds, and what came of each transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.read = database.read
        self.busy_s = 0.0
        self.results: list[Any] = []

    async def write(self, work: Callable[[BaseDBAsyncClient], Awaitable[Any]]) -> Any:
        began_s = time.perf_counter()
        self.results.append(await self._database.write(work))
        self.busy_s += time.perf_counter() - began_s
        return self.results[-1]


async def test_housekeeping_holds_up_nobody(database: Database) -> None:
    """While thousands of events are removed, others are stored and read, also of the same session."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    await fill(log, session, [float(at) for at in range(20 * BATCH_EVENTS)])
    watched = Watched(database)
    retention = Retention(cast(Database, watched), 1.0, None, now=lambda: 1e6)
    began_s = time.perf_counter()
    tidying = asyncio.create_task(retention.tidy())
    await until(lambda: retention.removed)
    for number in range(5):
        await fill(log, session, [1e6 + number])
        page, _ = await log.page(session.id, after=20 * BATCH_EVENTS, limit=1000)
        assert [item["at"] for item in page] == [1e6 + before for before in range(number + 1)]
    assert not tidying.done()
    await tidying
    assert watched.results == [BATCH_EVENTS] * 20
    assert watched.busy_s <= (time.perf_counter() - began_s) * (SHARE + 0.1)
    assert await seqs(log, session) == [20 * BATCH_EVENTS + number for number in range(1, 6)]
    size, oldest_at = (await numbers(database))[session.id]
    assert oldest_at == 1e6
    assert size == pytest.approx(5 * (event_rows.EVENT_BYTES + 100), rel=0.5)
    await log.close()


async def test_it_looks_again_when_the_database_was_away(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The trouble is told once, and removing goes on by itself."""
    async with place.opened(busy_timeout_ms=LOCK_MS) as database:
        session = await new_session(database)
        log = EventLog(database, lambda _: None)
        await fill(log, session, [0.0, 1.0])
        retention = Retention(database, 1.0, None, interval_s=0.02, now=lambda: 100.0)
        async with place.locked():
            retention.start()
            retention.start()
            await until(lambda: "cannot be removed" in caplog.text)
            assert retention.removed == 0
        await until(lambda: retention.removed == 2)
        assert caplog.text.count("cannot be removed") == 1
        await retention.close()
        await retention.close()
        await log.close()


class Broken:
    """A database that fails as nobody has thought of."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, work: object) -> None:
        self.asked += 1
        raise RuntimeError("never thought of")


async def test_it_looks_again_whatever_went_wrong(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody has thought of is told once, with its traceback, and is not the end of housekeeping."""
    broken = Broken()
    retention = Retention(cast(Database, broken), 1.0, None, interval_s=0.001)
    retention.start()
    await until(lambda: broken.asked > 2)
    await retention.close()
    (record,) = (record for record in caplog.records if "cannot be removed" in record.message)
    assert record.exc_info is not None
