from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiortc import InvalidStateError
from pyee.asyncio import AsyncIOEventEmitter

from signaling.channel import MAX_BUFFERED_BYTES, EventChannels
from signaling.messages import PROTOCOL
from signaling.patience import TokenBucket
from tests.waiting import until
from tracks.bus import EventBus, Subscription
from tracks.errors import InvalidRequest
from tracks.events import ErrorData, Event
from tracks.stats import Stats


class Channel(AsyncIOEventEmitter):
    """A data channel whose far end takes what it is sent, and whose buffer fills only when told to."""

    def __init__(self, label: str, protocol: str = PROTOCOL) -> None:
        super().__init__()
        self.label = label
        self.protocol = protocol
        self.readyState = "open"
        self.bufferedAmount = 0
        self.bufferedAmountLowThreshold = 0
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        if self.readyState != "open":
            raise InvalidStateError
        self.sent.append(json.loads(text))

    def close(self) -> None:
        self.readyState = "closed"
        self.emit("close")

    def drain(self) -> None:
        self.bufferedAmount = 0
        self.emit("bufferedamountlow")


class Feed:
    """A session's feed over a bus and a list of stored events."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.stored: list[Event] = []
        self.removed = 0
        """So many of the oldest are not there any more."""

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        return self.bus.subscribe("s", stored=stored, capacity=capacity, on_drop=on_drop)

    def describe(self) -> dict[str, Any]:
        return {"sessionId": "s", "state": "live", "seq": len(self.stored)}

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        return [event.wire() for event in self.stored[max(after, self.removed) :]][:limit]

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        if name != "echo":
            raise InvalidRequest(f"unknown command {name!r}, have: echo")
        return args

    def store(self, message: str = "m") -> None:
        event = an_event(len(self.stored) + 1, message)
        self.stored.append(event)
        self.bus.publish(event)

    def tell(self, message: str = "live") -> None:
        self.bus.publish(an_event(None, message))


def an_event(seq: int | None, message: str) -> Event:
    return Event(
        id=f"e{seq}",
        seq=seq,
        kind="error",
        session_id="s",
        source_id="c",
        at=1.0,
        media_time=0.0,
        data=ErrorData(code="internal", message=message),
    )


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def channels(feed: Feed) -> AsyncIterator[EventChannels]:
    channels = EventChannels(feed, Stats(), lambda: {"role": "publisher", "rtpOrigin": {"0": 7}})
    yield channels
    await channels.close()


def seqs(channel: Channel) -> list[int]:
    return [message["seq"] for message in channel.sent if message.get("kind") and message["seq"] is not None]


async def test_the_first_message_is_attached(feed: Feed, channels: EventChannels) -> None:
    """A peer is told first of all where it is and where its RTP timestamps start."""
    feed.store()
    channel = Channel("events")
    channels.accept(channel)
    assert channel.sent == [
        {"type": "attached", "sessionId": "s", "state": "live", "seq": 1, "role": "publisher", "rtpOrigin": {"0": 7}}
    ]


async def test_stored_events_go_on_events_and_live_ones_on_live(feed: Feed, channels: EventChannels) -> None:
    """Each channel carries its own events."""
    events, live = Channel("events"), Channel("live", protocol="")
    channels.accept(events)
    channels.accept(live)
    feed.store()
    feed.tell()
    await until(lambda: len(live.sent) == 1 and len(events.sent) == 2)
    assert seqs(events) == [1]
    assert live.sent[0]["seq"] is None


async def test_without_a_live_channel_everything_goes_on_events(feed: Feed, channels: EventChannels) -> None:
    """`live` is optional."""
    events = Channel("events")
    channels.accept(events)
    feed.tell()
    await until(lambda: len(events.sent) == 2)


@pytest.mark.parametrize(("label", "protocol"), [("chat", PROTOCOL), ("events", "other.v9")])
async def test_other_channels_are_closed(channels: EventChannels, label: str, protocol: str) -> None:
    """A label or protocol that the server does not speak is closed, not ignored."""
    channel = Channel(label, protocol)
    channels.accept(channel)
    assert channel.readyState == "closed"


async def test_a_second_events_channel_is_closed(channels: EventChannels) -> None:
    """There is one of each label."""
    channels.accept(Channel("events"))
    second = Channel("events")
    channels.accept(second)
    assert second.readyState == "closed"


async def test_attach_replays_what_was_missed_once_and_in_order(feed: Feed, channels: EventChannels) -> None:
    """After a reconnect every stored event above `after` comes, then what follows, without a gap or a repetition."""
    for _ in range(450):
        feed.store()
    channel = Channel("events")
    channels.accept(channel)
    channel.emit("message", json.dumps({"type": "attach", "id": "a", "after": 5}))
    feed.store()
    await until(lambda: len(seqs(channel)) >= 446)
    assert seqs(channel) == list(range(6, 452))


async def test_attach_may_be_sent_once(feed: Feed, channels: EventChannels) -> None:
    """A second `attach` is refused, with the id it was sent with."""
    channel = Channel("events")
    channels.accept(channel)
    for _ in range(2):
        channel.emit("message", '{"type": "attach", "id": "a"}')
    await until(lambda: channel.sent[-1]["type"] == "error")
    assert channel.sent[-1]["error"]["code"] == "invalid_request"
    assert channel.sent[-1]["id"] == "a"


async def test_nothing_is_handed_over_while_much_is_unsent(feed: Feed, channels: EventChannels) -> None:
    """A slow peer's live events are lost, oldest first, and counted; its stored ones wait."""
    events, live = Channel("events"), Channel("live", protocol="")
    channels.accept(events)
    channels.accept(live)
    for channel in (events, live):
        channel.bufferedAmount = MAX_BUFFERED_BYTES + 1
    for n in range(100):
        feed.store()
        feed.tell(str(n))
        await asyncio.sleep(0)
    assert seqs(events) == []
    assert live.sent == []
    for channel in (events, live):
        channel.drain()
    await until(lambda: len(seqs(events)) == 100 and len(live.sent) > 60)
    assert seqs(events) == list(range(1, 101))
    assert live.sent[-1]["data"]["message"] == "99"

    def lost() -> int:
        return sum(message["count"] for message in events.sent if message.get("type") == "dropped")

    await until(lambda: len(live.sent) + lost() == 100)
    assert {message["what"] for message in events.sent if message.get("type") == "dropped"} == {"event"}


async def test_stored_events_past_the_bound_are_told_as_a_gap(feed: Feed, channels: EventChannels) -> None:
    """What no longer fits the queue is named, so that the client can page for it."""
    channel = Channel("events")
    channels.accept(channel)
    channel.bufferedAmount = MAX_BUFFERED_BYTES + 1
    feed.store()
    await asyncio.sleep(0)
    for _ in range(1100):
        feed.store()
    channel.drain()
    await until(lambda: len(seqs(channel)) == 1001)
    gaps = [message for message in channel.sent if message.get("type") == "gap"]
    assert gaps == [{"type": "gap", "from": 2, "to": 101}]


@pytest.mark.parametrize(("kept", "gap", "comes"), [(4, (3, 6), [7, 8, 9, 10, 11]), (0, (3, 10), [11])])
async def test_what_was_removed_before_it_could_be_replayed_is_told_as_a_gap(
    feed: Feed, channels: EventChannels, kept: int, gap: tuple[int, int], comes: list[int]
) -> None:
    """Who resumes below what is kept hears at once what cannot come any more, also where nothing is left."""
    for _ in range(10):
        feed.store()
    feed.removed = 10 - kept
    channel = Channel("events")
    channels.accept(channel)
    channel.emit("message", json.dumps({"type": "attach", "after": 2}))
    await until(lambda: len(channel.sent) == 2 + kept)
    assert channel.sent[1] == {"type": "gap", "from": gap[0], "to": gap[1]}
    feed.store()
    await until(lambda: len(channel.sent) == 3 + kept)
    assert seqs(channel) == comes


@pytest.mark.parametrize(
    "message", ["{", b"\x00", '"ping"', '{"type": "dance"}', "x" * 70_000, '{"type":"ping","a":1}']
)
async def test_what_cannot_be_understood_is_answered_and_forgiven(
    channels: EventChannels, message: str | bytes
) -> None:
    """One bad message is an error that is not fatal; the channel goes on."""
    channel = Channel("events")
    channels.accept(channel)
    channel.emit("message", message)
    assert channel.sent[-1]["error"]["code"] == "invalid_request"
    assert channel.sent[-1]["fatal"] is False
    channel.emit("message", '{"type": "ping", "id": "p"}')
    assert channel.sent[-1]["type"] == "pong"
    assert channel.sent[-1]["id"] == "p"


async def test_the_fifth_bad_message_closes_the_channel(channels: EventChannels) -> None:
    """A peer that keeps sending garbage loses its channel."""
    channel = Channel("events")
    channels.accept(channel)
    for _ in range(4):
        channel.emit("message", "{")
    assert channel.readyState == "open"
    channel.emit("message", "{")
    assert channel.sent[-1]["fatal"] is True
    assert channel.readyState == "closed"


async def test_messages_past_the_rate_are_refused(channels: EventChannels) -> None:
    """A burst of 50 passes, the next message is `rate_limited`."""
    channel = Channel("events")
    channels.accept(channel)
    for _ in range(51):
        channel.emit("message", '{"type": "ping"}')
    assert [message["type"] for message in channel.sent[1:51]] == ["pong"] * 50
    assert channel.sent[51]["error"]["code"] == "rate_limited"


async def test_commands_are_answered_with_their_id(channels: EventChannels) -> None:
    """A command that works, and one that does not exist."""
    channel = Channel("events")
    channels.accept(channel)
    channel.emit("message", '{"type": "command", "id": "1", "name": "echo", "args": {"a": 1}}')
    channel.emit("message", '{"type": "command", "id": "2", "name": "fly"}')
    await until(lambda: len(channel.sent) == 3)
    assert channel.sent[1] == {"type": "reply", "id": "1", "ok": True, "result": {"a": 1}}
    assert channel.sent[2]["ok"] is False
    assert channel.sent[2]["error"]["code"] == "invalid_request"


async def test_an_event_that_is_too_big_goes_without_its_data(feed: Feed, channels: EventChannels) -> None:
    """No message is over 48 KiB; the event can still be fetched by its id."""
    channel = Channel("events")
    channels.accept(channel)
    feed.store("x" * 50_000)
    await until(lambda: len(channel.sent) == 2)
    assert channel.sent[1]["data"] == {"truncated": True}
    assert channel.sent[1]["id"] == "e1"


def test_the_bucket_refills_with_time() -> None:
    """After a burst, tokens come back at the rate."""
    now = [0.0]
    bucket = TokenBucket(rate=2, burst=3, now=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
