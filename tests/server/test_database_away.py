"""The database stops, is locked, falls silent or has no room: what goes on, what is said, and what comes after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from server.database import Database, open_database
from server.models import SourceRow
from server.store import EventLog, Sources
from tests.server.clients import Api, Browser, problem, until_async
from tests.server.databases import Place, Postgres
from tests.server.line import Line
from tests.server.test_store import LOCK_MS, event, new_session, stored
from tests.waiting import until
from tracks.errors import DatabaseUnavailable, StorageFull
from tracks.events import ErrorData, Event

DISK_BYTES = 12 << 20


@pytest.fixture
def api(impatient: None, api_on_both: Api) -> Api:
    """A server that waits a short time for locks, on either database."""
    return api_on_both


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.app.open_database", partial(open_database, busy_timeout_ms=LOCK_MS))


async def waiting(api: Api) -> float:
    """Events that wait for their commit."""
    text = await (await api.http.get("/metrics")).text()
    return float(text.split("\nvedette_event_log_depth ")[1].split("\n")[0])


async def make_source(api: Api) -> tuple[int, str]:
    response = await api.http.post("/sources", json={"kind": "webcam"})
    if response.status == 201:
        return 201, ""
    return (await problem(response))[:2]


@pytest.mark.parametrize("away_s", [0, pytest.param(60, marks=pytest.mark.endure)])
async def test_media_goes_on_without_the_database(
    api: Api, place: Place, browsers: list[Browser], away_s: float
) -> None:
    """Pictures and live boxes come, stored events wait and then come in order; REST says what is wrong."""
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object") and browser.live_kinds("detection"))
    async with place.away():
        back_at_s = time.monotonic() + away_s
        told = [message["seq"] for message in browser.messages if message.get("kind")]
        while True:
            assert await make_source(api) == (503, "db_unavailable")
            pictures, boxes = len(browser.pictures), len(browser.live_kinds("detection"))
            await until(
                lambda: len(browser.pictures) > pictures + 30 and len(browser.live_kinds("detection")) > boxes + 5  # noqa: B023
            )
            if time.monotonic() >= back_at_s:
                break
        await until_async(lambda: _is_positive(api))
        assert [message["seq"] for message in browser.messages if message.get("kind")] == told

    await until_async(lambda: _works(api))
    await until(lambda: len([message for message in browser.messages if message.get("kind")]) > len(told))
    await until_async(lambda: _is_done(api))
    events = await api.events(session_id)
    assert [item["seq"] for item in events] == list(range(1, len(events) + 1))
    seqs = [message["seq"] for message in browser.messages if message.get("kind")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def _is_positive(api: Api) -> bool:
    return await waiting(api) > 0


async def _is_done(api: Api) -> bool:
    return await waiting(api) == 0


async def _works(api: Api) -> bool:
    return await make_source(api) == (201, "")


async def test_a_session_that_ends_meanwhile_has_ended_afterwards(
    api: Api, place: Place, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its peers are closed at once; its row and its last event are written when that can be done."""
    monkeypatch.setattr("server.session.LAST_EVENTS_S", 0.1)
    session_id = await api.make_session()
    browser = Browser(api, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object"))
    session = api.server.live.find(session_id)
    assert session is not None
    async with place.away():
        async with asyncio.timeout(10):
            await session.end("stopped by a client")
        await until(lambda: browser.pc.connectionState == "closed")

    async def has_ended() -> bool:
        body = await api.session(session_id)
        return (body.get("state"), body.get("reason")) == ("ended", "stopped by a client")

    async def is_told() -> bool:
        events = await api.events(session_id, kind="session")
        return bool(events) and events[-1]["data"]["state"] == "ended"

    await until_async(has_ended)
    await until_async(is_told)


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent Postgres is given up after a moment."""
    monkeypatch.setattr("server.database.POSTGRES_LIMIT_S", 0.2)
    monkeypatch.setattr("server.database.PATIENCE_S", 0.6)


@pytest.fixture
async def on_postgres(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Place]:
    """A place on Postgres alone, with nothing in it."""
    name = await postgres.server.create()
    yield Place(tmp_path, postgres.server.url(name), postgres.server)
    await postgres.server.drop(name)


@contextlib.asynccontextmanager
async def silence(postgres: Postgres) -> AsyncIterator[None]:
    """Postgres says nothing more, on connections that stay open."""
    await asyncio.to_thread(postgres.server.freeze)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.server.thaw)


async def count(database: Database) -> int:
    return await database.read(lambda client: SourceRow.all().using_db(client).count())


async def test_a_postgres_that_falls_silent_keeps_nobody_and_nothing(
    short_limits: None, postgres: Postgres, on_postgres: Place, tmp_path: Path
) -> None:
    """Every caller has an error in time; when it can be reached again, dead connections are in nobody's way."""
    assert on_postgres.url is not None
    async with Line(postgres.server.port) as line:
        url = on_postgres.url.replace(f":{postgres.server.port}/", f":{line.port}/")
        async with Place(tmp_path, url).opened() as database:
            await asyncio.gather(*(count(database) for _ in range(20)))
            line.die()
            async with asyncio.timeout(5):
                for _ in range(2):
                    answers = await asyncio.gather(*(count(database) for _ in range(20)), return_exceptions=True)
                    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
                    with pytest.raises(DatabaseUnavailable):
                        await Sources(database).create("webcam", "x")
            line.revive()
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(DatabaseUnavailable):
                        await asyncio.gather(*(count(database) for _ in range(20)))
                        break


async def test_a_commit_that_is_done_late_is_not_repeated(
    short_limits: None, postgres: Postgres, on_postgres: Place
) -> None:
    """Postgres falls silent amid commits, which it may carry out when it speaks again: no event is doubled."""
    async with on_postgres.opened() as database:
        session = await new_session(database)
        published: list[Event] = []
        log = EventLog(database, published.append)
        numbers = itertools.count()
        working = asyncio.Event()

        async def append() -> None:
            while await working.wait():
                for number in itertools.islice(numbers, 20):
                    log.append(event(session, number))
                await asyncio.sleep(0.001)

        appending = asyncio.create_task(append())
        for _ in range(4):
            working.set()
            before = log.committed
            await until(lambda: log.committed > before)  # noqa: B023
            async with silence(postgres):
                await until(lambda: not log.healthy)
            working.clear()
            await log.flush()
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
        number = next(numbers)
        assert [item.seq for item in published] == list(range(1, number + 1))
        assert [item["at"] for item in await stored(log, session)] == [float(each) for each in range(number)]
        assert (log.refused, log.dropped) == (0, 0)
        await log.close()


async def test_a_commit_whose_outcome_is_open_is_waited_for(on_postgres: Place) -> None:
    """What a connection that was given up still has in hand is carried through first: then the event is there, once."""
    async with on_postgres.opened() as database:
        session = await new_session(database)
        published: list[Event] = []
        log = EventLog(database, published.append)
        late = event(session, 0)
        other = await asyncpg.connect(on_postgres.url)

        async def is_waited_for() -> bool:
            waiting = await asyncio.to_thread(on_postgres.ask, "SELECT count(*) FROM pg_locks WHERE NOT granted")
            return waiting != [["0"]]

        async with other.transaction():
            await other.execute("UPDATE sessions SET last_seq = 1 WHERE id = $1", session.id)
            await other.execute(
                """INSERT INTO events (id, session_id, seq, kind, source_id, at, data)
                VALUES ($1, $2, 1, $3, $4, $5, $6)""",
                *(late.id, session.id, late.kind, session.source_id, late.at, late.data.wire_text()),
            )
            log.last_error = "its connection was cut off"
            log.append(late)
            await until_async(is_waited_for)
        await log.flush()
        assert [(item.id, item.seq) for item in published] == [(late.id, 1)]
        assert [item["seq"] for item in await stored(log, session)] == [1]
        assert log.refused == 0
        await other.close()
        await log.close()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 12 MB; without the right to mount one the test is skipped."""
    folder = Path("/tmp") / f"vedette-disk-{os.getpid()}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(folder)]
    try:
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a small disk")
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()


async def on_disk(database: Database, disk: Path, server: Postgres | None) -> None:
    """Put Postgres' tables of sources and events there; SQLite is there already."""
    if server is None:
        return
    folder = disk / "space"
    folder.mkdir()
    uid, gid = server.server.user
    os.chown(folder, uid, gid)
    space = f"small{os.getpid()}"
    await server.server.execute(f"CREATE TABLESPACE {space} LOCATION '{folder}'")
    for table in ("sources", "events"):
        await database.write(lambda client: client.execute_query(f"ALTER TABLE {table} SET TABLESPACE {space}"))  # noqa: B023


async def make_many(sources: Sources) -> None:
    """More than fits what is left of a page, or of a log that is used again."""
    for _ in range(3000):
        await sources.create("webcam", "x" * 200)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_full_disk_is_told_and_costs_nothing_that_fits_the_spool(
    kind: str, small_disk: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """`storage_full` to who asks, nothing acknowledged that is not there, and all of it stored once there is room."""
    server: Postgres | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    name = None if server is None else await server.server.create()
    place = Place(small_disk if server is None else tmp_path, None if server is None else server.server.url(str(name)))
    async with place.opened() as database:
        await on_disk(database, small_disk, server)
        session = await new_session(database)
        published: list[Event] = []
        log = EventLog(database, published.append)
        log.append(event(session, 0))
        await log.flush()
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass

        large = ErrorData(code="internal", message="x" * 4000)
        number = 600
        for each in range(1, number):
            log.append(event(session, each, data=large))
        await until(lambda: not log.healthy)
        assert "full" in (log.last_error or "") or "No space" in (log.last_error or "")
        acknowledged = len(published)
        with pytest.raises(StorageFull):
            await make_many(Sources(database))
        assert len(published) == acknowledged
        assert len(await stored(log, session)) == acknowledged  # what can be read is read

        ballast.unlink()
        await log.flush()
        assert [item.seq for item in published] == list(range(1, number + 1))
        assert [item["at"] for item in await stored(log, session)] == [float(each) for each in range(number)]
        await Sources(database).create("webcam", "x")
        await log.close()
    if server is not None:
        await server.server.drop(str(name))
        await server.server.execute(f"DROP TABLESPACE small{os.getpid()}")
