"""The phase `events`: a million events stored and found again on each database, and servers killed while they store."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.database import Database, open_database
from server.looplag import LoopLag
from server.memory import settle
from server.routes import events as event_routes
from server.store import EventLog, Session, Sessions, Sources

from .event_content import KINDS, LABELS, EventMaker, word
from .event_kills import Kills, kill_again_and_again
from .postgres import PostgresFailed, PostgresServer

OTHERS = 4
OTHERS_SHARE = 0.1
"""Events of other sessions in between, for one event of that session."""
PER_S = 5.0
"""Events a second on the sessions' own clock: two days and a bit."""
DEPTH = 1000
"""How many events the maker lets wait for their commit."""
TURN = 20
"""Events made before others get the loop: a dozen sessions at once."""
ASKED = 100
"""Requests of every kind."""
KILLS = 20


@dataclass(frozen=True, slots=True)
class Stored:
    """How the events went in."""

    count: int
    seconds: float
    lag_p99_ms: float
    lag_max_ms: float
    cores: float
    """Of this process, making the events included."""
    missing: int
    """Events of which the database knows less than was said."""

    @property
    def per_s(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """How long one kind of request took, over HTTP, in milliseconds."""

    name: str
    p50_ms: float
    p95_ms: float
    found: float
    """Events on a page, on average."""
    words: bool
    """Whether it asks for words."""


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """Everything measured on one of them."""

    name: str
    stored: Stored
    asked: Sequence[Asked]
    bytes_each: float
    """Of the database, for one event."""
    kills: Kills


async def events(data_dir: Path, count: int, tell: Callable[[str], None]) -> Sequence[OnDatabase]:
    """Measure SQLite, and Postgres where it is installed, each with `count` events in one session."""
    measured = [await _measure("SQLite", None, data_dir / "sqlite", count, tell)]
    try:
        server = PostgresServer(durable=True)
    except PostgresFailed as failed:
        tell(f"events: without Postgres: {failed}")
        return measured
    await asyncio.to_thread(server.start)
    try:
        urls = [server.url(await server.create()) for _ in range(2)]
        measured.append(await _measure("Postgres", urls, data_dir / "postgres", count, tell))
    finally:
        await asyncio.to_thread(server.close)
    return measured


async def _measure(
    name: str, urls: Sequence[str] | None, data_dir: Path, count: int, tell: Callable[[str], None]
) -> OnDatabase:
    load_url, kill_url = urls or (None, None)
    async with _opened(load_url, data_dir) as database:
        session, maker, stored = await _store(database, count)
        if load_url is not None:
            await database.read(lambda client: client.execute_query("ANALYZE"))  # as autovacuum does within a minute
        tell(f"events: {name}: {stored.per_s:.0f} a second, loop late by {stored.lag_p99_ms:.1f} ms (p99)")
        taken = await _bytes(database)
        asked = await _ask(database, session, maker)
        worst = max(asked, key=lambda each: each.p95_ms)
        tell(f"events: {name}: pages in {worst.p95_ms:.1f} ms at most (p95, {worst.name})")
    killed = await kill_again_and_again(data_dir / "killed", kill_url, KILLS)
    tell(f"events: {name}: killed {killed.kills} times with {killed.told} answers given, {killed.lost} lost")
    return OnDatabase(name, stored, asked, taken / stored.count, killed)


@asynccontextmanager
async def _opened(url: str | None, data_dir: Path) -> AsyncIterator[Database]:
    database = await open_database(url, data_dir)
    try:
        yield database
    finally:
        await database.close()


async def _store(database: Database, count: int) -> tuple[Session, EventMaker, Stored]:
    """One session's events with those of others in between, as fast as they are taken."""
    source = await Sources(database).create("webcam", "a camera")
    rows = Sessions(database, "bench")
    sessions = [await rows.create(source.id, ["vision", "audio"], "fast", "smooth", None) for _ in range(1 + OTHERS)]
    maker = EventMaker(sessions, [1.0, *[OTHERS_SHARE / OTHERS] * OTHERS], 1.7e9, PER_S)
    settle()  # as the server does: what the maker holds would cost the collector half a second each time
    log = EventLog(database, lambda event: None)
    lag = LoopLag(window=1_000_000)
    lag.start()
    total = round(count * (1 + OTHERS_SHARE))
    began_s, cpu_s = time.monotonic(), time.process_time()
    for made in range(0, total, TURN):
        for _ in range(min(TURN, total - made)):
            log.append(next(maker))
        await asyncio.sleep(0)
        while log.depth > DEPTH:
            await asyncio.sleep(0.001)
    await log.flush()
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    await lag.stop()
    kept = [(await rows.get(session.id)).last_seq for session in sessions]
    counted = await database.read(lambda client: client.execute_query_dict("SELECT count(*) AS count FROM events"))
    await log.close()
    missing = max(total - log.committed, total - sum(kept), total - counted[0]["count"])
    stored = Stored(total, seconds, lag.p99_ms, lag.max_ms, cpu_s / seconds, missing)
    return sessions[0], maker, stored


async def _bytes(database: Database) -> int:
    def of(dialect: str) -> str:
        if dialect == "sqlite":
            return "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()"
        return "SELECT pg_database_size(current_database()) AS bytes"

    found = await database.read(lambda client: client.execute_query_dict(of(client.capabilities.dialect)))
    return int(found[0]["bytes"])


async def _ask(database: Database, session: Session, maker: EventMaker) -> Sequence[Asked]:
    """Every kind of request to the real routes, over HTTP, one after the other."""
    log = EventLog(database, lambda event: None)
    app = web.Application()
    rows = Sessions(database, "bench")
    event_routes.add_routes(app, rows, log)
    last_seq = (await rows.get(session.id)).last_seq
    asked = []
    async with TestClient(TestServer(app)) as http:
        for name, make in _requests(last_seq, maker):
            chance = random.Random(2)
            took_ms, found = [], 0
            for _ in range(ASKED):
                query = make(chance)
                began_s = time.perf_counter()
                async with http.get(f"/sessions/{session.id}/events", params=query) as answer:
                    body = await answer.read()
                took_ms.append((time.perf_counter() - began_s) * 1e3)
                if answer.status != 200:
                    raise ValueError(f"{query}: {body!r}")
                found += body.count(b'"seq"')
            p50, p95 = np.percentile(took_ms, (50, 95))
            asked.append(Asked(name, float(p50), float(p95), found / ASKED, name.startswith("q")))
    await log.close()
    return asked


def _requests(last_seq: int, maker: EventMaker) -> Iterator[tuple[str, Callable[[random.Random], Mapping[str, Any]]]]:
    """Kinds of requests, each anywhere in the session."""
    span_s = maker.at - 1.7e9

    def after(chance: random.Random) -> Mapping[str, Any]:
        return {"after": chance.choice((0, chance.randrange(last_seq)))}

    def since(chance: random.Random) -> Mapping[str, Any]:
        return {"since": 1.7e9 + chance.random() * span_s}

    def until(chance: random.Random) -> Mapping[str, Any]:
        return {"until": 1.7e9 + chance.random() * span_s}

    def window(chance: random.Random) -> Mapping[str, Any]:
        start = 1.7e9 + chance.random() * span_s
        return {"since": start, "until": start + chance.choice((1, 60, 3600))}

    def some_words(chance: random.Random) -> Mapping[str, Any]:
        return {"q": " ".join(chance.choice(maker.texts).split()[:2])}

    yield "all", after
    yield "kind", lambda chance: {**after(chance), "kind": chance.choice(list(KINDS))}
    yield "kind, rare", lambda chance: {**after(chance), "kind": "session"}
    yield "kind, three", lambda chance: {**after(chance), "kind": "detection,object,session"}
    yield "since", since
    yield "until", lambda chance: {**after(chance), **until(chance)}
    yield "since, until", window
    yield "since, kind", lambda chance: {**since(chance), "kind": chance.choice(list(KINDS))}
    yield "until, kind", lambda chance: {**after(chance), **until(chance), "kind": chance.choice(list(KINDS))}
    yield "label", lambda chance: {**after(chance), "label": chance.choice(LABELS)}
    yield "label, rare", lambda chance: {**after(chance), "label": LABELS[-1]}
    yield "label, none", lambda chance: {**after(chance), "label": "unicorn"}
    yield "label, kind", lambda chance: {**after(chance), "label": chance.choice(LABELS), "kind": "object"}
    yield "label, since", lambda chance: {**since(chance), "label": chance.choice(LABELS)}
    yield "label, kind, window", lambda chance: {**window(chance), "label": LABELS[0], "kind": "object,session"}
    yield "q, common", lambda chance: {**after(chance), "q": word(chance.randrange(5))}
    yield "q, rare", lambda chance: {**after(chance), "q": word(chance.randrange(7000, 8000))}
    yield "q, two words", lambda chance: {**after(chance), **some_words(chance)}
    yield "q, common and rare", lambda chance: {"q": f"{word(0)} {word(chance.randrange(7000, 8000))}"}
    yield "q, beginning", lambda chance: {**after(chance), "q": chance.choice("abcdefgh")}
    yield "q, word and beginning", lambda chance: {"q": f"{word(chance.randrange(8000))} {chance.choice('abcdefgh')}"}
    yield "q, never said", lambda chance: {"q": "zzzz"}
    yield "q, since", lambda chance: {**since(chance), "q": word(chance.randrange(100))}
    yield "q, window", lambda chance: {**window(chance), "q": word(chance.randrange(100))}
