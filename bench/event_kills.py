"""A server that stores events is killed with -9, again and again: what it had answered must be there, once."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from server.database import open_database
from server.store import EventLog, Session, Sessions

from .processes import free_port, server

LOAD_S = (0.3, 1.0)
"""How long it works before it is killed."""
READERS = 3
FOLLOWED = 8
"""The newest sessions that a reader looks into; `event_server` goes on with half as many."""
NODE = "bench"


@dataclass(frozen=True, slots=True)
class Kills:
    """What had been told, and what was there afterwards."""

    kills: int
    told: int
    """Events and sessions that were in an answer."""
    stored: int
    """Events that are there."""
    lost: int
    """Of those told, what is not there, or has become something else."""
    doubled: int
    """Events that are there twice, or under a seq that another has, and seqs that nobody has."""
    unfound: int
    """Events that a label or a word should find, and does not."""

    @property
    def faultless(self) -> bool:
        """True when nothing is lost, doubled or unfound, and there was something to lose."""
        return not (self.lost or self.doubled or self.unfound) and self.told > 0


@dataclass(slots=True)
class _Told:
    """What a client has been answered."""

    sessions: set[str] = field(default_factory=set)
    events: dict[tuple[str, int], str] = field(default_factory=dict)
    """Ids of events by session and seq."""
    newest: dict[str, int] = field(default_factory=dict)
    """The last seq of each session that was told."""
    changed: int = 0

    def take(self, session_id: str, seq: int, event_id: str) -> None:
        self.changed += self.events.setdefault((session_id, seq), event_id) != event_id
        self.newest[session_id] = max(seq, self.newest.get(session_id, 0))


async def kill_again_and_again(data_dir: Path, url: str | None, kills: int) -> Kills:
    """Start a server on this database, put load on it, and kill it, `kills` times; then look."""
    await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
    told, chance = _Told(), random.Random(3)
    for _ in range(kills):
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        args = ("bench.event_server", str(data_dir), str(port), *([] if url is None else [url]))
        async with server(args, address, "/ready", data_dir / "server.log") as running:
            clients = [asyncio.create_task(_read(address, told)) for _ in range(READERS)]
            await asyncio.sleep(chance.uniform(*LOAD_S))
            running.kill()
            await running.wait()
            await asyncio.gather(*clients)
    return await _look(data_dir, url, told, kills)


async def _read(address: str, told: _Told) -> None:
    """Make a session, then follow what happens in the newest ones, until the server is gone."""
    async with aiohttp.ClientSession(address, raise_for_status=True) as http:
        try:
            async with http.post("/sessions") as answer:
                told.sessions.add((await answer.json())["sessionId"])
            while True:
                for session_id in sorted(told.sessions)[-FOLLOWED:]:
                    query = {"after": told.newest.get(session_id, 0), "limit": 200}
                    async with http.get(f"/sessions/{session_id}/events", params=query) as answer:
                        page = await answer.json()
                    for event in page["events"]:
                        told.take(session_id, event["seq"], event["id"])
        except aiohttp.ClientResponseError:
            raise
        except (aiohttp.ClientError, OSError):
            return


async def _look(data_dir: Path, url: str | None, told: _Told, kills: int) -> Kills:
    database = await open_database(url, data_dir)
    try:
        log = EventLog(database, lambda event: None)
        sessions = {session.id: session for session in (await Sessions(database, NODE).page(limit=1000))[0]}
        there: dict[tuple[str, int], str] = {}
        doubled = 0
        found = {"all": 0, "object": 0, "transcript": 0}
        for session in sessions.values():
            events = await _events(log, session, None)
            there |= {(session.id, seq): event_id for seq, event_id in events}
            doubled += len(events) - len({event_id for _, event_id in events})
            doubled += [seq for seq, _ in events] != list(range(1, session.last_seq + 1))
            found["all"] += len(events)
            for kind in ("object", "transcript"):
                found[kind] += len(await _events(log, session, [kind]))
        await log.close()
        indexed = await database.read(
            lambda client: client.execute_query_dict(
                """SELECT (SELECT count(*) FROM event_labels WHERE kind = 'object') AS object,
                (SELECT count(*) FROM event_texts) AS transcript"""
            )
        )
    finally:
        await database.close()
    lost = len(told.sessions - set(sessions)) + told.changed
    lost += sum(there.get(place) != event_id for place, event_id in told.events.items())
    unfound = sum(abs(found[kind] - indexed[0][kind]) for kind in ("object", "transcript"))
    return Kills(kills, len(told.events) + len(told.sessions), found["all"], lost, doubled, unfound)


async def _events(log: EventLog, session: Session, kinds: list[str] | None) -> list[tuple[int, str]]:
    """Seq and id of all events of a session, or of these kinds."""
    events: list[tuple[int, str]] = []
    after: int | None = 0
    while after is not None:
        page, after = await log.page(session.id, after, 1000, kinds)
        events += [(event["seq"], event["id"]) for event in page]
    return events
