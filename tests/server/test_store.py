"""Sources, sessions and the event log, on a real SQLite file and on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from server.database import Database
from server.store import EventLog, Session, Sessions, Sources
from tests.killing import told_until_killed
from tests.server.databases import Place
from tracks.errors import DatabaseUnavailable, InvalidRequest, NotFound
from tracks.events import ErrorData, Event, Model, SessionData
from tracks.events.envelope import new_id

LOCK_MS = 20
"""How long a statement waits for somebody else's lock where a test holds it."""


@pytest.fixture
def sessions(database: Database) -> Sessions:
    """The sessions of one node."""
    return Sessions(database, "node")


async def new_session(database: Database, kind: str = "webcam") -> Session:
    """A session over a source of its own."""
    source = await Sources(database).create(kind, "a camera")
    return await Sessions(database, "node").create(source.id, ["vision"], "fast", "smooth", None)


def event(session: Session, number: int = 0, kind: str = "error", data: Model | None = None) -> Event:
    """An event whose `at` is its number."""
    return Event(
        id=new_id(),
        kind=kind,
        session_id=session.id,
        source_id=session.source_id,
        at=float(number),
        media_time=None,
        data=data or ErrorData(code="internal", message=f"number {number}"),
    )


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition of the event log, looking every few milliseconds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def stored(log: EventLog, session: Session) -> list[dict[str, object]]:
    """Every stored event of a session, page by page."""
    events: list[dict[str, object]] = []
    after: int | None = 0
    while after is not None:
        page, after = await log.page(session.id, after, limit=1000)
        events += page
    return events


async def test_two_sessions_get_gap_free_seqs_in_order(database: Database) -> None:
    """5,000 events of two sessions at once: each session has 1, 2, 3 … in the order of append, stored and published."""
    a, b = await new_session(database), await new_session(database)
    published: list[Event] = []
    log = EventLog(database, published.append)

    async def produce(session: Session, count: int) -> None:
        for number in range(count):
            log.append(event(session, number))
            if number % 7 == 0:
                await asyncio.sleep(0)

    await asyncio.gather(produce(a, 2500), produce(b, 2500))
    await log.flush()
    assert (log.depth, log.committed, log.dropped, log.refused) == (0, 5000, 0, 0)
    for session in (a, b):
        mine = [item for item in published if item.session_id == session.id]
        assert [item.seq for item in mine] == list(range(1, 2501))
        assert [item.at for item in mine] == [float(number) for number in range(2500)]
        assert await stored(log, session) == [item.wire() for item in mine]
    await log.close()


async def test_an_event_is_committed_before_it_is_published(database: Database, place: Place) -> None:
    """Whoever hears of a stored event finds it in the database, seen from another program."""
    session = await new_session(database)
    found: list[list[list[str]]] = []
    log = EventLog(database, lambda heard: found.append(place.ask(f"SELECT seq FROM events WHERE id = '{heard.id}'")))
    for number in range(10):
        log.append(event(session, number))
        if number % 3 == 0:
            await log.flush()
    await log.close()
    assert found == [[[str(seq)]] for seq in range(1, 11)]


async def test_a_subscriber_that_fails_loses_only_its_own_event(database: Database) -> None:
    """An error while publishing neither stops the log nor stores anything twice."""
    session = await new_session(database)

    def fails(_: Event) -> None:
        raise RuntimeError("a broken subscriber")

    log = EventLog(database, fails)
    log.append(event(session))
    log.append(event(session))
    await log.flush()
    log.append(event(session))
    await log.close()
    assert [item["seq"] for item in await stored(log, session)] == [1, 2, 3]


async def test_numbering_continues_after_a_restart(database: Database, place: Place) -> None:
    """What was stored is there after closing and opening again, and the next seq follows."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    for number in range(3):
        log.append(event(session, number))
    await log.close()
    await database.close()

    async with place.opened() as again:
        log = EventLog(again, lambda _: None)
        log.append(event(session, 3))
        await log.close()
        found = await stored(log, session)
        assert [(item["seq"], item["at"]) for item in found] == [(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0)]
        assert (await Sessions(again, "node").get(session.id)).last_seq == 4


async def test_a_stale_owner_is_refused_and_others_in_its_batch_are_not(
    database: Database, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """After another process took the session over, the old one gives out no seq; it is counted and logged once."""
    old, other = await new_session(database), await new_session(database)
    await sessions.end_leftovers()
    published: list[Event] = []
    log = EventLog(database, published.append)
    for number in range(3):
        log.append(event(old, number))
        log.append(event(other, number), epoch=2)
    log.append(event(old, 9), epoch=2)
    await log.close()
    assert [(item.session_id, item.seq) for item in published] == [
        *((other.id, seq) for seq in (1, 2, 3)),
        (old.id, 1),
    ]
    assert log.refused == 3
    assert len([record for record in caplog.records if "are refused" in record.message]) == 1
    assert (await sessions.get(old.id)).last_seq == 1


async def test_an_event_of_an_unknown_session_is_refused(database: Database) -> None:
    """There is no seq for a session that was never made."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    log.append(event(session).model_copy(update={"session_id": new_id()}))
    await log.close()
    assert (log.refused, log.committed) == (1, 0)


async def test_one_event_that_cannot_be_stored_spoils_no_other(database: Database) -> None:
    """An id that is there already and text that is none are refused; their neighbours get seqs without a gap."""
    session = await new_session(database)
    published: list[Event] = []
    log = EventLog(database, published.append)
    first = event(session, 0)
    no_text = ErrorData(code="internal", message="x", details={"half a pair": "\ud800"})
    for item in (first, event(session, 1), first, event(session, 2, data=no_text), event(session, 3)):
        log.append(item)
    await log.flush()
    assert [(item.seq, item.at) for item in published] == [(1, 0.0), (2, 1.0), (3, 3.0)]
    assert (log.refused, log.healthy) == (2, True)
    await log.close()


async def test_a_character_that_postgres_does_not_know_costs_no_event(database: Database) -> None:
    """U+0000 is legal in JSON; Postgres, which refuses it, is given U+FFFD, and nothing that only looks like it."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    log.append(event(session, data=ErrorData(code="internal", message="\0 \\\0 \\u0000 \\\\u0000")))
    await log.close()
    assert log.refused == 0
    (found,) = await stored(log, session)
    message = found["data"]["message"]  # type: ignore[index]
    assert message.replace("\ufffd", "\0") == "\0 \\\0 \\u0000 \\\\u0000"


async def test_a_locked_database_delays_but_loses_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """While another program holds the lock nothing is published and the trouble is told once; then all goes on."""
    async with place.opened(busy_timeout_ms=LOCK_MS) as database:
        session = await new_session(database)
        published: list[Event] = []
        log = EventLog(database, published.append)
        log.append(event(session, 0))
        await log.flush()

        async with place.locked():
            for number in range(1, 400):
                log.append(event(session, number))
            await until(lambda: not log.healthy)
            assert "lock" in (log.last_error or "")
            assert (log.depth, len(published)) == (399, 1)
            page, _ = await log.page(session.id)  # reads go on
            assert len(page) == 1

        await log.flush()
        assert (log.healthy, log.last_error, log.depth) == (True, None, 0)
        assert [item.seq for item in published] == list(range(1, 401))
        assert await stored(log, session) == [item.wire() for item in published]
        assert len([record for record in caplog.records if "cannot store events" in record.message]) == 1
        await log.close()


async def test_a_commit_without_an_answer_is_not_repeated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks after the server has committed: the events are found, not stored twice."""
    session = await new_session(database)
    published: list[Event] = []
    log = EventLog(database, published.append)
    write = database.write
    answers = iter([False])

    async def breaks_after(work):  # type: ignore[no-untyped-def]
        result = await write(work)
        if next(answers, True):
            return result
        raise DatabaseUnavailable("connection lost")

    monkeypatch.setattr(database, "write", breaks_after)
    for number in range(5):
        log.append(event(session, number))
    await until(lambda: not log.healthy)
    log.append(event(session, 5))
    await log.flush()
    assert [item.seq for item in published] == [1, 2, 3, 4, 5, 6]
    assert await stored(log, session) == [item.wire() for item in published]
    assert log.refused == 0
    await log.close()


async def test_a_full_spool_refuses_the_newest_and_counts(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond its capacity nothing waits, nothing older is thrown away, and it is logged once."""
    async with place.opened(busy_timeout_ms=LOCK_MS) as database:
        session = await new_session(database)
        log = EventLog(database, lambda _: None, capacity=10)
        async with place.locked():
            for number in range(15):
                log.append(event(session, number))
            assert (log.depth, log.dropped) == (10, 5)
        await log.flush()
        assert [item["at"] for item in await stored(log, session)] == [float(number) for number in range(10)]
        assert len([record for record in caplog.records if "is full (10 events)" in record.message]) == 1
        await log.close()


async def test_close_ends_in_time_and_admits_what_was_not_stored(place: Place) -> None:
    """With the database locked for good, close gives up; whoever waits for those events gets an error, not a lie."""
    async with place.opened(busy_timeout_ms=LOCK_MS) as database:
        session = await new_session(database)
        log = EventLog(database, lambda _: None)
        async with place.locked():
            for number in range(3):
                log.append(event(session, number))
            waiting = asyncio.create_task(log.flush())
            async with asyncio.timeout(5):
                await log.close(timeout_s=0.2)
            with pytest.raises(DatabaseUnavailable, match="3 events were not stored"):
                await waiting
            log.append(event(session))
            assert (log.dropped, log.depth) == (4, 0)


async def test_pages_follow_each_other_without_gap_or_overlap(database: Database) -> None:
    """`next` is the `after` of the next page, and None on the last one, also when that one is full."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    for number in range(10):
        log.append(event(session, number))
    await log.close()
    seqs: list[object] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page, after = await log.page(session.id, after, limit=5)
        seqs += [item["seq"] for item in page]
        pages += 1
    assert (seqs, pages) == (list(range(1, 11)), 2)
    assert await log.page(session.id, after=10) == ([], None)
    assert await log.page(new_id()) == ([], None)


async def test_pages_can_be_narrowed_by_kind_and_time(database: Database) -> None:
    """`kinds` and the inclusive bounds on `at` combine, and limits outside 1 to 1000 are refused by name."""
    session = await new_session(database)
    log = EventLog(database, lambda _: None)
    for number in range(10):
        live = SessionData(state="live")
        log.append(event(session, number, "session", live) if number % 2 else event(session, number))
    await log.close()

    async def ats(**choice: object) -> list[object]:
        page, _ = await log.page(session.id, **choice)  # type: ignore[arg-type]
        return [item["at"] for item in page]

    assert await ats(kinds=["session"]) == [1, 3, 5, 7, 9]
    assert await ats(kinds=[]) == []
    assert await ats(since=3.0, until=6.0) == [3, 4, 5, 6]
    assert await ats(kinds=["session"], since=3.0, until=6.0, after=4) == [5]
    for limit in (0, -1, 1001):
        with pytest.raises(InvalidRequest, match=f"1 to 1000, not {limit}"):
            await log.page(session.id, limit=limit)


async def test_one_event_is_found_by_its_id(database: Database) -> None:
    """It comes back exactly as it was published; an unknown id is an error that names it."""
    session = await new_session(database)
    published: list[Event] = []
    log = EventLog(database, published.append)
    log.append(event(session, 1, "session", SessionData(state="live", change={"profile": "fast", "n": [1, None, "é"]})))
    await log.close()
    assert await log.get(published[0].id) == published[0].wire()
    with pytest.raises(NotFound, match="no event 'nowhere'"):
        await log.get("nowhere")


async def test_sources_are_made_listed_and_hidden(database: Database) -> None:
    """A deleted source is neither found nor listed nor renamed, and stays deleted when that is asked for again."""
    sources = Sources(database)
    made = [await sources.create("webcam", f"camera {number}") for number in range(5)]
    assert await sources.get(made[0].id) == made[0]
    page, after = await sources.page(limit=3)
    rest, end = await sources.page(after or "", limit=3)
    assert ([*page, *rest], end) == (made, None)
    await sources.delete(made[0].id)
    assert await sources.page() == (made[1:], None)
    await sources.delete(made[0].id)
    for call in (sources.get(made[0].id), sources.change(made[0].id, name="other"), sources.delete("nowhere")):
        with pytest.raises(NotFound, match="no source"):
            await call
    renamed = await sources.change(made[1].id, name="other")
    assert renamed == await sources.get(made[1].id) == replace(made[1], name="other")
    with pytest.raises(InvalidRequest, match="1 to 1000, not 0"):
        await sources.page(limit=0)
    with pytest.raises(InvalidRequest, match="Length"):
        await sources.create("webcam", "x" * 201)
    with pytest.raises(InvalidRequest):
        await sources.create("webcam", "\ud800")


async def test_sessions_are_made_listed_and_changed(database: Database, sessions: Sessions) -> None:
    """A row keeps what was asked for, its state and its clock; a final state has an end."""
    source = await Sources(database).create("webcam", "a camera")
    made = await sessions.create(source.id, ["vision"], "fast", "smooth", ["person"])
    assert await sessions.get(made.id) == made
    assert (made.state, made.epoch, made.last_seq, made.classes, made.final) == ("connecting", 1, 0, ("person",), False)
    other = await new_session(database)
    assert await sessions.page(limit=1) == ([made], made.id)
    assert await sessions.page(made.id) == ([other], None)
    assert await sessions.page(source_id=source.id) == ([made], None)

    await sessions.set_state(made.id, "live")
    await sessions.set_clock_origin(made.id, 1763791200.125)
    live = await sessions.get(made.id)
    assert (live.state, live.clock_origin, live.ended_at) == ("live", 1763791200.125, None)
    await sessions.set_state(made.id, "ended", "stopped")
    ended = await sessions.get(made.id)
    assert (ended.state, ended.reason, ended.final) == ("ended", "stopped", True)
    assert ended.ended_at is not None
    with pytest.raises(NotFound, match="nowhere"):
        await sessions.set_state("nowhere", "live")
    with pytest.raises(NotFound):
        await Sessions(database, "another node").set_state(other.id, "live")


async def test_a_restart_ends_what_only_a_client_could_bring_back(database: Database, sessions: Sessions) -> None:
    """Live webcam sessions of this node end with a reason; ended ones, other nodes' and other kinds stay."""
    live, done, pulled = await new_session(database), await new_session(database), await new_session(database, "usb")
    foreign = await Sessions(database, "another node").create(live.source_id, ["vision"], "fast", "smooth", None)
    await sessions.set_state(live.id, "live")
    await sessions.set_state(done.id, "failed", "broken")
    ended = await sessions.end_leftovers()
    assert [(row.id, row.state, row.reason, row.epoch) for row in ended] == [(live.id, "ended", "server restarted", 2)]
    assert await sessions.get(live.id) == ended[0]
    assert (await sessions.get(done.id)).reason == "broken"
    assert (await sessions.get(pulled.id)).state == "connecting"
    assert (await sessions.get(foreign.id)).state == "connecting"
    assert await sessions.end_leftovers() == []


CHILD = """
import asyncio, sys
from pathlib import Path
from server.database import open_database
from server.store import EventLog, Sessions, Sources
from tracks.events import ErrorData, Event
from tracks.events.envelope import new_id

async def main():
    database = await open_database(sys.argv[2] or None, Path(sys.argv[1]))
    source = await Sources(database).create("webcam", "a camera")
    session = await Sessions(database, "node").create(source.id, ["vision"], "fast", "smooth", None)
    log = EventLog(database, lambda event: print(event.session_id, event.seq, event.id, flush=True))
    while True:
        for _ in range(20):
            data = ErrorData(code="internal", message="x")
            log.append(Event(id=new_id(), kind="error", session_id=session.id, source_id=source.id, at=0.0,
                             media_time=None, data=data))
        await asyncio.sleep(0.002)

asyncio.run(main())
"""


async def test_a_killed_process_loses_nothing_that_it_acknowledged(place: Place) -> None:
    """kill -9 in the midst of writing: every event it told about is there once, under the seq it told."""
    told = await told_until_killed(CHILD, place.data_dir, place.url or "", lines=500)
    assert len(told) >= 500

    async with place.opened() as database:
        (session,), _ = await Sessions(database, "node").page()
        log = EventLog(database, lambda _: None)
        found = await stored(log, session)
        await log.close()
    assert [item["seq"] for item in found] == list(range(1, session.last_seq + 1))
    there = {(str(item["seq"]), item["id"]) for item in found}
    assert {(seq, event_id) for _, seq, event_id in told} <= there
    if place.url is None:
        assert place.ask("PRAGMA integrity_check") == [["ok"]]
