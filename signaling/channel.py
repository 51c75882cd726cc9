"""The data channels of one peer: events out, control messages in (CONTRACT of `vedette.v1`).

`events` is ordered and reliable and carries control messages and stored events; `live`, if the peer opened it, carries
the events that may be lost. `RTCDataChannel.send` never pushes back, so nothing is handed over while much is unsent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiortc import InvalidStateError, RTCDataChannel

from tracks.errors import InvalidRequest, RateLimited
from tracks.stats import Stats

from . import messages
from .commands import Wishes, perform
from .delivery import Delivery, EventFeed, Gone
from .losses import Losses
from .messages import PROTOCOL, Attach, Command, Ping
from .patience import Strikes, TokenBucket

logger = logging.getLogger(__name__)

MAX_BUFFERED_BYTES = 256 * 1024
LOW_BUFFERED_BYTES = 64 * 1024
MAX_BAD_MESSAGES = 5
BAD_WINDOW_S = 10.0
MESSAGES_PER_S = 20
MESSAGE_BURST = 50


class Controlled(EventFeed, Protocol):
    """What a session offers to the data channels of its peers."""

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """Do what a client commands. Raises VedetteError."""


class EventChannels:
    """Both channels of one peer. `accept` what the peer opens, `close` with the peer."""

    def __init__(self, session: Controlled, stats: Stats, attached: Callable[[], dict[str, Any]]) -> None:
        self._session = session
        self._attached = attached
        self._events: RTCDataChannel | None = None
        self._live: RTCDataChannel | None = None
        self._incoming = messages.channel_messages()
        self._losses = Losses(self.say)
        self._delivery = Delivery(session, self, self._losses, stats)
        self._resumed = False
        self._bucket = TokenBucket(MESSAGES_PER_S, MESSAGE_BURST)
        self._strikes = Strikes(MAX_BAD_MESSAGES, BAD_WINDOW_S)
        self._tasks: set[asyncio.Task[None]] = set()

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
                while channel.readyState == "open" and not (self._delivery.idle and not channel.bufferedAmount):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop sending; the channels themselves close with their peer connection."""
        self._losses.close()
        await self._delivery.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # What carries the events of the delivery: signaling.delivery.Wire.

    def say(self, message: dict[str, Any]) -> None:
        """Send a control message."""
        if self._events is not None and self._events.readyState == "open":
            self._events.send(messages.encode(message))

    async def send(self, event: dict[str, Any], *, live: bool) -> None:
        """Send an event once little enough is waiting. Raises Gone."""
        channel = self._events
        if live and self._live is not None and self._live.readyState == "open":
            channel = self._live
        assert channel is not None
        try:
            await _send(channel, messages.encode_event(event))
        except InvalidStateError:
            raise Gone from None

    def _start(self) -> None:
        description = self._session.describe()
        self.say({"type": "attached", **description, **self._attached()})
        self._delivery.begin()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _received(self, data: str | bytes) -> None:
        if not self._bucket.take():
            self.say(messages.error_message(RateLimited(f"more than {MESSAGES_PER_S} messages a second")))
            return
        try:
            if isinstance(data, bytes):
                raise InvalidRequest("message is binary, only JSON text is understood")
            if len(data.encode()) > messages.MAX_INCOMING_BYTES:
                raise InvalidRequest(f"message is over {messages.MAX_INCOMING_BYTES} bytes")
            message = self._incoming.parse(data)
        except InvalidRequest as error:
            self._refuse(error)
            return
        match message:
            case Ping():
                self.say(messages.pong(message, time.time()))
            case Attach() if self._resumed:
                again = InvalidRequest("attach was sent before, it may be sent once")
                self.say(messages.error_message(again, id=message.id))
            case Attach():
                self._resumed = True
                self._delivery.kinds = message.kinds
                self._delivery.resume(message.after)
            case Command():
                self._spawn(self._command(message))

    def _refuse(self, error: InvalidRequest) -> None:
        """Tell of a message that cannot be understood; a peer that sends many loses the channel, never its media."""
        fatal = self._strikes.strike()
        logger.info("bad data channel message: %s", error.message)
        self.say(messages.error_message(error, fatal=fatal))
        if fatal and self._events is not None:
            self._events.close()

    async def _command(self, command: Command) -> None:
        self.say(await perform(command, self._session.command, Wishes, self._wish))

    def _wish(self, wishes: Wishes) -> dict[str, Any]:
        if "kinds" in wishes.model_fields_set:
            self._delivery.kinds = wishes.kinds
        return {"kinds": self._delivery.wanted}


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
