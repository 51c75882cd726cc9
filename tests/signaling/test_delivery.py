"""A session's events on their way to one client: which, in what order, and what is told of the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from signaling import delivery
from signaling.delivery import LIVE_CAPACITY, STORED_CAPACITY, Delivery, Gone
from signaling.losses import Losses
from tests.waiting import until
from tracks.bus import EventBus, Subscription
from tracks.errors import DatabaseUnavailable
from tracks.events import ErrorData, Event, LiveCopy
from tracks.stats import Stats


def event(seq: int | None, kind: str = "error", id: str | None = None) -> Event:
    made = id or (f"e{seq}" if seq else "live")
    data = ErrorData(code="internal", message="")
    return Event(id=made, seq=seq, kind=kind, session_id="s", source_id="c", at=1.0, media_time=0.0, data=data)


class Feed:
    """Events on a bus, and those that are stored in a list."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.stored: list[Event] = []
        self.removed = 0
        """So many of the oldest are not there any more."""
        self.away = 0
        """The database does not answer so many times."""
        self.reads: list[int] = []
        self.readable = asyncio.Event()
        self.readable.set()

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        return self.bus.subscribe("s", stored=stored, capacity=capacity, on_drop=on_drop)

    def describe(self) -> dict[str, Any]:
        return {"sessionId": "s", "state": "live", "seq": len(self.stored)}

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        await self.readable.wait()
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("away")
        self.reads.append(after)
        return [each.wire() for each in self.stored[max(after, self.removed) :]][:limit]

    def store(self, kind: str = "error", id: str | None = None) -> None:
        self.stored.append(event(len(self.stored) + 1, kind, id))
        self.bus.publish(self.stored[-1])


class Wire:
    """Carries messages to a client, unless it is held up or the client has gone."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.room = asyncio.Event()
        self.room.set()
        self.waits = False
        self.gone = False

    def say(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def send(self, event: dict[str, Any], *, live: bool) -> None:
        if self.gone:
            raise Gone
        self.waits = True
        await self.room.wait()
        self.waits = False
        assert live == (event["seq"] is None)
        self.sent.append(event)

    def seqs(self) -> list[int | None]:
        return [each["seq"] for each in self.sent if "kind" in each]

    def told(self, type: str) -> list[dict[str, Any]]:
        return [each for each in self.sent if each.get("type") == type]


class Client:
    """Somebody who follows a session."""

    def __init__(self, feed: Feed, **options: bool) -> None:
        self.wire = Wire()
        self.stats = Stats()
        self.losses = Losses(self.wire.say)
        self.delivery = Delivery(feed, self.wire, self.losses, self.stats, **options)

    async def close(self) -> None:
        self.losses.close()
        await self.delivery.close()


Follow = Callable[..., Client]


@pytest.fixture
async def feed() -> Feed:
    return Feed()


@pytest.fixture
async def follow(feed: Feed) -> AsyncIterator[Follow]:
    made: list[Client] = []

    def client(**options: bool) -> Client:
        made.append(Client(feed, **options))
        return made[-1]

    yield client
    for each in made:
        await each.close()


async def test_who_comes_anew_gets_what_follows_and_no_more(feed: Feed, follow: Follow) -> None:
    """Without `after` nothing is read from the database."""
    feed.store()
    client = follow()
    client.delivery.begin()
    feed.store()
    feed.bus.publish(event(None))
    await until(lambda: len(client.wire.seqs()) == 2)
    assert sorted(client.wire.seqs(), key=str) == [2, None]
    assert feed.reads == []


async def test_what_was_missed_comes_before_what_is_new_by_pages(
    feed: Feed, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, also what was stored while it was read; live ones wait for it."""
    monkeypatch.setattr(delivery, "REPLAY_PAGE", 3)
    for _ in range(7):
        feed.store()
    client = follow()
    feed.readable.clear()
    client.delivery.begin(1)
    feed.bus.publish(event(None))
    feed.store()
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.wire.sent == []
    feed.readable.set()
    await client.delivery.caught_up()
    await until(lambda: len(client.wire.seqs()) == 8)
    assert client.wire.seqs() == [2, 3, 4, 5, 6, 7, 8, None]
    assert feed.reads[:3] == [1, 4, 7]


async def test_what_retention_has_removed_is_a_gap(feed: Feed, follow: Follow) -> None:
    """Told before what is left, and when nothing is left at all."""
    for _ in range(5):
        feed.store()
    feed.removed = 3
    some = follow()
    some.delivery.begin(1)
    await some.delivery.caught_up()
    assert some.wire.sent[0] == {"type": "gap", "from": 2, "to": 3}
    assert some.wire.seqs() == [4, 5]
    feed.removed = 5
    none = follow()
    none.delivery.begin(1)
    await none.delivery.caught_up()
    assert none.wire.sent == [{"type": "gap", "from": 2, "to": 5}]


async def test_a_database_that_is_away_is_waited_for(
    feed: Feed, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing newer overtakes, and nothing is lost."""
    monkeypatch.setattr(delivery, "READ_AGAIN_S", 0.01)
    feed.store()
    feed.store()
    feed.away = 3
    client = follow()
    client.delivery.begin(0)
    feed.store()
    await until(lambda: client.wire.seqs() == [1, 2, 3])
    assert feed.away == 0


@pytest.mark.parametrize("reads_again", [True, False])
async def test_a_slow_reader_loses_no_stored_event_or_is_told(feed: Feed, follow: Follow, reads_again: bool) -> None:
    """What no longer fits the queue is read from the database, or told as a gap."""
    client = follow(reads_again=reads_again)
    client.delivery.begin()
    client.wire.room.clear()
    feed.store()
    await until(lambda: client.wire.waits)
    for _ in range(STORED_CAPACITY + 5):
        feed.store()
    assert not client.delivery.idle
    client.wire.room.set()
    await until(lambda: client.delivery.idle)
    last = STORED_CAPACITY + 6
    missing = [] if reads_again else [{"type": "gap", "from": 2, "to": 6}]
    assert client.wire.told("gap") == missing
    assert client.wire.seqs() == ([*range(1, last + 1)] if reads_again else [1, *range(7, last + 1)])


async def test_live_events_are_dropped_oldest_first_and_counted(feed: Feed, follow: Follow) -> None:
    """Only of the kinds that the client wants."""
    client = follow()
    client.delivery.kinds = frozenset({"error"})
    client.delivery.begin()
    client.wire.room.clear()
    feed.bus.publish(event(None))
    await until(lambda: client.wire.waits)
    for number in range(LIVE_CAPACITY):
        feed.bus.publish(event(None, "metric"))
        feed.bus.publish(event(None, id=f"live{number}"))
    # Half of what waited was wanted.
    assert client.stats.drops["event"] == LIVE_CAPACITY // 2
    client.losses.tell()
    assert sum(each["count"] for each in client.wire.told("dropped")) == LIVE_CAPACITY // 2
    client.wire.room.set()
    await until(lambda: client.wire.sent[-1].get("id") == f"live{LIVE_CAPACITY - 1}")


async def test_kinds_that_are_not_wanted_leave_no_gap(feed: Feed, follow: Follow) -> None:
    """They may change at any time."""
    client = follow(reads_again=True)
    client.delivery.kinds = frozenset({"session", "object"})
    client.delivery.begin()
    for kind in ("session", "error", "object"):
        feed.store(kind)
    await until(lambda: client.wire.seqs() == [1, 3])
    assert client.delivery.wanted == ["object", "session"]
    client.delivery.kinds = None
    feed.store()
    await until(lambda: client.wire.seqs() == [1, 3, 4])
    assert client.wire.told("gap") == []


async def test_an_event_that_is_live_and_stored_is_sent_once(
    feed: Feed, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its seq; whether the live copy comes before the commit or after it."""
    client = follow(once=True)
    client.delivery.begin()
    feed.bus.publish(LiveCopy.of(event(None, id="a")))
    feed.store(id="a")
    feed.store(id="b")
    await until(lambda: client.wire.seqs() == [1, 2])
    monkeypatch.setattr(delivery, "TWIN_S", 0.0)
    feed.bus.publish(LiveCopy.of(event(None, id="b")))
    for id in ("c", "d"):
        feed.bus.publish(event(None, id=id))
        await until(lambda id=id: client.wire.sent[-1]["id"] == id)  # type: ignore[misc]
    assert [each["id"] for each in client.wire.sent] == ["a", "b", "c", "d"]


async def test_a_live_copy_does_not_wait_for_a_database_that_is_away(
    feed: Feed, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes without its seq, and comes again with it."""
    monkeypatch.setattr(delivery, "TWIN_S", 0.01)
    client = follow(once=True)
    client.delivery.begin()
    feed.bus.publish(LiveCopy.of(event(None, id="a")))
    await until(lambda: client.wire.seqs() == [None])
    feed.store(id="a")
    await until(lambda: client.wire.seqs() == [None, 1])


async def test_a_client_that_has_gone_ends_the_sending(feed: Feed, follow: Follow) -> None:
    """Quietly; closing has nothing left to wait for."""
    client = follow()
    client.delivery.begin()
    client.wire.gone = True
    sending = [task for task in asyncio.all_tasks() if task.get_name() == "event-delivery"]
    assert len(sending) == 2
    feed.store()
    feed.bus.publish(event(None))
    async with asyncio.timeout(5):
        await asyncio.gather(*sending)
    await client.delivery.close()
    assert client.wire.sent == []
