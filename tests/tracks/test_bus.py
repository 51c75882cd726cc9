from __future__ import annotations

import asyncio

import pytest

from tracks.bus import EventBus
from tracks.events import ErrorData, Event, SessionData


def an_event(session_id: str = "s", seq: int | None = None, kind: str = "error") -> Event:
    data = ErrorData(code="internal", message="m") if kind == "error" else SessionData(state="live")
    return Event(id="e", seq=seq, kind=kind, session_id=session_id, source_id="c", at=0.0, media_time=None, data=data)


async def test_a_subscriber_gets_what_it_asked_for() -> None:
    """Session, kind and storedness filter; everybody else's events do not come."""
    bus = EventBus()
    stored = bus.subscribe("s", {"session"}, stored=True)
    for event in (
        an_event("other", 1, "session"),
        an_event("s", 1),
        an_event("s", None, "session"),
        an_event("s", 2, "session"),
    ):
        bus.publish(event)
    assert (await anext(stored)).seq == 2
    assert len(stored) == 0


async def test_a_slow_subscriber_loses_its_oldest_and_it_is_counted() -> None:
    """One that does not read loses events; one that does loses none."""
    bus = EventBus()
    slow, fast = bus.subscribe(capacity=3), bus.subscribe()
    for seq in range(1, 6):
        bus.publish(an_event(seq=seq))
        assert (await anext(fast)).seq == seq
    assert slow.dropped == 2
    assert [(await anext(slow)).seq for _ in range(3)] == [3, 4, 5]
    assert fast.dropped == 0


async def test_a_closed_subscription_ends_after_what_it_has() -> None:
    """Events taken before the close are read; then iteration ends, also for one who waits."""
    bus = EventBus()
    subscription = bus.subscribe()
    bus.publish(an_event(seq=1))
    subscription.close()
    bus.publish(an_event(seq=2))
    assert [event.seq async for event in subscription] == [1]
    waiting = bus.subscribe()
    reader = asyncio.create_task(anext(waiting))
    await asyncio.sleep(0)
    waiting.close()
    with pytest.raises(StopAsyncIteration):
        await reader


def test_the_envelope_is_camel_case_and_complete() -> None:
    """The same keys on every surface, with fields of the data that are not set left out."""
    wire = an_event(seq=7).wire()
    assert wire == {
        "v": 1,
        "id": "e",
        "seq": 7,
        "kind": "error",
        "sessionId": "s",
        "sourceId": "c",
        "at": 0.0,
        "mediaTime": None,
        "data": {"code": "internal", "message": "m"},
    }
