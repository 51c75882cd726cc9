"""The data channels of one peer: events out, control messages in (CONTRACT of `vedette.v1`).

`events` is ordered and reliable and carries control messages and stored events; `live`, if the peer opened it, carries
the events that may be lost. `RTCDataChannel.send` never pushes back, so nothing is handed over while much is unsent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc import InvalidStateError, RTCDataChannel

from tracks.bus import Subscription
from tracks.errors import InvalidRequest, RateLimited, VedetteError
from tracks.stats import Stats

from . import messages
from .messages import Attach, Command, Ping

logger = logging.getLogger(__name__)

PROTOCOL = "vedette.v1"
MAX_BUFFERED_BYTES = 256 * 1024
LOW_BUFFERED_BYTES = 64 * 1024
LIVE_CAPACITY = 64
STORED_CAPACITY = 1000
REPLAY_PAGE = 200
MAX_BAD_MESSAGES = 5
BAD_WINDOW_S = 10.0
DROPPED_INTERVAL_S = 1.0


class EventFeed(Protocol):
    """What a session offers to the data channels of its peers."""

    def subscribe(self, *, stored: bool, capacity: int) -> Subscription:
        """The session's events from now on."""

    def describe(self) -> dict[str, Any]:
        """`sessionId`, `state` and `seq` (the last stored event) for `attached`."""

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        """Stored events with a seq above `after`, oldest first, as envelopes."""

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """Do what a client commands. Raises VedetteError."""


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` things a second through, and `burst` at once."""

    rate: float
    burst: float
    now: Callable[[], float] = time.monotonic
    _level: float = 0.0
    _at: float = 0.0

    def take(self) -> bool:
        """True if one more may pass now."""
        now = self.now()
        self._level = max(0.0, self._level - (now - self._at) * self.rate)
        self._at = now
        if self._level + 1 > self.burst:
            return False
        self._level += 1
        return True


class EventChannels:
    """Both channels of one peer. `accept` what the peer opens, `close` with the peer."""

    def __init__(self, feed: EventFeed, stats: Stats, attached: Callable[[], dict[str, Any]]) -> None:
        self._feed = feed
        self._stats = stats
        self._attached = attached
        self._events: RTCDataChannel | None = None
        self._live: RTCDataChannel | None = None
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stored_order = asyncio.Lock()
        self._last_seq = 0
        self._replayed = False
        self._resume_after: int | None = None
        self._bucket = TokenBucket(rate=20, burst=50)
        self._bad: deque[float] = deque(maxlen=MAX_BAD_MESSAGES)
        self._dropped_told = 0
        self._dropped_at = 0.0

    def accept(self, channel: RTCDataChannel) -> None:
        """Take a channel that the peer opened; one of another label, or a second of the same, is closed."""
        if channel.label == "events" and self._events is None and channel.protocol == PROTOCOL:
            self._events = channel
            channel.bufferedAmountLowThreshold = LOW_BUFFERED_BYTES
            channel.on("message", self._received)
            self._start()
        elif channel.label == "live" and self._live is None:
            self._live = channel
            channel.bufferedAmountLowThreshold = LOW_BUFFERED_BYTES
        else:
            logger.info("closed data channel %r (protocol %r)", channel.label, channel.protocol)
            channel.close()

    async def drain(self, timeout_s: float) -> None:
        """Wait until every stored event so far has been sent, `timeout_s` at most."""
        channel = self._events
        if channel is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # Asked again and again: SCTP tells when little is left, not when nothing is.
                while channel.readyState == "open" and self._unsent(channel):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    def _unsent(self, channel: RTCDataChannel) -> bool:
        """Whether a stored event waits here or in SCTP."""
        waiting = len(self._subscriptions[0]) if self._subscriptions else 0
        return bool(waiting or self._stored_order.locked() or channel.bufferedAmount)

    async def close(self) -> None:
        """Stop sending; the channels themselves close with their peer connection."""
        for subscription in self._subscriptions:
            subscription.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(self) -> None:
        # Subscribed before `seq` is read, so that nothing falls between.
        stored = self._feed.subscribe(stored=True, capacity=STORED_CAPACITY)
        live = self._feed.subscribe(stored=False, capacity=LIVE_CAPACITY)
        self._subscriptions += [stored, live]
        description = self._feed.describe()
        self._last_seq = description["seq"]
        self._say({"type": "attached", **description, **self._attached()})
        self._spawn(self._send_stored(stored))
        self._spawn(self._send_live(live))

    def _spawn(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            with contextlib.suppress(InvalidStateError):  # the channel was closed under us: the peer is going
                await work

        task = asyncio.create_task(run(), name="event-channel")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_stored(self, subscription: Subscription) -> None:
        async for event in subscription:
            async with self._stored_order:
                await self._catch_up()
                await self._send_in_order(event.wire())

    async def _send_in_order(self, event: dict[str, Any]) -> None:
        """Send a stored event unless it was sent, and tell of those that can no longer come."""
        assert self._events is not None
        seq = event["seq"]
        if seq <= self._last_seq:
            return
        if seq > self._last_seq + 1:
            self._say({"type": "gap", "from": self._last_seq + 1, "to": seq - 1})
        self._last_seq = seq
        await _send(self._events, messages.encode_event(event))

    async def _send_live(self, subscription: Subscription) -> None:
        async for event in subscription:
            channel = self._live if self._live is not None and self._live.readyState == "open" else self._events
            assert channel is not None
            await _send(channel, messages.encode_event(event.wire()))
            self._tell_dropped(subscription)

    def _tell_dropped(self, subscription: Subscription) -> None:
        count = subscription.dropped - self._dropped_told
        now = time.monotonic()
        if count and now - self._dropped_at >= DROPPED_INTERVAL_S:
            self._dropped_told, self._dropped_at = subscription.dropped, now
            self._stats.drops["event"] += count
            self._say({"type": "dropped", "what": "event", "count": count})

    def _say(self, message: dict[str, Any]) -> None:
        if self._events is not None and self._events.readyState == "open":
            self._events.send(messages.encode(message))

    def _received(self, data: str | bytes) -> None:
        if not self._bucket.take():
            self._say(messages.error_message(RateLimited("more than 20 messages a second")))
            return
        try:
            if isinstance(data, bytes):
                raise InvalidRequest("message is binary, only JSON text is understood")
            if len(data.encode()) > messages.MAX_INCOMING_BYTES:
                raise InvalidRequest(f"message is over {messages.MAX_INCOMING_BYTES} bytes")
            message = messages.parse(data)
        except InvalidRequest as error:
            self._refuse(error)
            return
        match message:
            case Ping():
                self._say({"type": "pong", "at": time.time(), **({"id": message.id} if message.id else {})})
            case Attach() if self._replayed:
                again = InvalidRequest("attach was sent before, it may be sent once")
                self._say(messages.error_message(again, id=message.id))
            case Attach():
                self._replayed = True
                self._resume_after = message.after
                self._spawn(self._replay())
            case Command():
                self._spawn(self._command(message))

    def _refuse(self, error: InvalidRequest) -> None:
        """Tell of a message that cannot be understood; a peer that sends many loses the channel, never its media."""
        now = time.monotonic()
        self._bad.append(now)
        fatal = len(self._bad) == MAX_BAD_MESSAGES and now - self._bad[0] < BAD_WINDOW_S
        logger.info("bad data channel message: %s", error.message)
        self._say(messages.error_message(error, fatal=fatal))
        if fatal and self._events is not None:
            self._events.close()

    async def _replay(self) -> None:
        async with self._stored_order:
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Send what the peer said it has missed, if it did, before anything newer. Call with `_stored_order` held."""
        if self._resume_after is None:
            return
        self._last_seq = min(self._last_seq, self._resume_after)
        self._resume_after = None
        while page := await self._feed.history(self._last_seq, REPLAY_PAGE):
            for event in page:
                await self._send_in_order(event)

    async def _command(self, command: Command) -> None:
        try:
            self._say(messages.reply(command.id, await self._feed.command(command.name, command.args)))
        except VedetteError as error:
            self._say(messages.refusal(command.id, error))


async def _send(channel: RTCDataChannel, text: str) -> None:
    """Send once little enough is waiting. Raises InvalidStateError when the channel is closed."""
    if channel.bufferedAmount > MAX_BUFFERED_BYTES:
        room = asyncio.Event()

        def wake() -> None:
            room.set()

        channel.on("bufferedamountlow", wake)
        channel.on("close", wake)
        try:
            await room.wait()
        finally:
            for event in ("bufferedamountlow", "close"):
                with contextlib.suppress(KeyError):  # a closed channel has forgotten its listeners
                    channel.remove_listener(event, wake)
    channel.send(text)
