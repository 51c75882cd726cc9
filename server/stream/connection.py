"""One client of `/ws/stream`: what it may say when, and what is done about it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import time
from collections.abc import Mapping
from typing import Any

from signaling import messages
from signaling.commands import StreamWishes, perform
from signaling.delivery import Delivery
from signaling.losses import Losses
from signaling.messages import AttachTo, Audio, Command, End, Frame, Malformed, Pictures, Ping, Start, Unreadable
from signaling.patience import Strikes, TokenBucket
from tracks.errors import Conflict, InvalidRequest, NotFound, Overloaded, RateLimited, VedetteError
from tracks.stats import Stats

from .. import commands
from ..archive import Archive
from ..origin import Forbidden
from ..principal import Principal
from ..roles import Role
from ..session import SERVER_STOPPED, LiveSession
from .intake import AUDIO_RATES, IN_FLIGHT, Intake
from .line import Close, Line
from .pictures import PictureSender
from .socket import MAX_MESSAGE_BYTES, StreamSocket
from .starts import Starts

logger = logging.getLogger(__name__)

IMAGE, PCM = 1, 2
"""Tags of binary messages."""
PCM_RATE = 16_000
MAX_BAD, BAD_WINDOW_S = 20, 10.0
MEDIA_PER_S, MEDIA_BURST = 200, 400
MAX_COMMANDS = 16
"""Under way at once."""
DRAIN_POLL_S = 0.01


class Connection:
    """Serves one client, `run` until it is gone: a `Client` of its session, its `Publisher` if it sends media."""

    def __init__(self, id: str, socket: StreamSocket, principal: Principal, starts: Starts) -> None:
        self.id = id
        self.line = Line(socket, self._last_words)
        self._principal = principal
        self._starts = starts
        self._incoming = messages.stream_messages()
        self._losses = Losses(self.line.outbox.say)
        self._strikes = Strikes(MAX_BAD, BAD_WINDOW_S)
        self._media = TokenBucket(MEDIA_PER_S, MEDIA_BURST)
        self._commands: set[asyncio.Task[None]] = set()
        self._attached = False
        self._session: LiveSession | None = None
        self._delivery: Delivery | None = None
        self._intake: Intake | None = None
        self._pictures: PictureSender | None = None
        self._farewell: dict[str, Any] | None = None

    async def run(self, first: Mapping[str, Any] | None = None) -> None:
        """Serve until the connection ends; `first` is a message that was said in the handshake."""
        try:
            if first is not None:
                await self._text(messages.encode(first))
            while (message := await self.line.receive()) is not None:
                if isinstance(message, str):
                    await self._text(message)
                else:
                    self._binary(message)
        except Exception:  # the edge of a connection: it is logged, and ended
            logger.exception("a connection failed")
            self._fail(Close.INTERNAL, VedetteError("something went wrong in the server; its log says what"))
        finally:
            # Also when the server is tired of waiting: nothing of a connection may stay behind.
            leaving = asyncio.create_task(self._leave(), name="stream-leave")
            while not leaving.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(leaving)

    # A client of its session, and its publisher: server.attendance.Client, server.publisher.Publisher.

    async def close(self, reason: str) -> None:
        """The session is over."""
        await asyncio.shield(self.line.end_soon(Close.GOING_AWAY if reason == SERVER_STOPPED else Close.OK, reason))

    def gives_way(self) -> None:
        """Another has taken over."""
        self._fail(Close.CONFLICT, Conflict("another publisher took over"))

    def source_rtp_time(self, source_ticks: int) -> int | None:
        """No RTP here."""
        return None

    def _fail(self, code: Close, error: VedetteError, id: str | None = None) -> None:
        self.line.end_soon(code, error, id)

    def _refuse(self, error: VedetteError, id: str | None = None) -> None:
        """Something of the client's was no good; it goes on, unless that happens all the time."""
        self.line.outbox.say(messages.error_message(error, id=id))
        if self._strikes.strike():
            self._fail(Close.UNREADABLE, InvalidRequest(f"{MAX_BAD} bad messages within {BAD_WINDOW_S:g} s"))

    def _refuse_picture(self, error: VedetteError, ts: float, frame_id: str | None) -> None:
        named = {"ts": ts, **({} if frame_id is None else {"frameId": frame_id})}
        self._refuse(type(error)(error.message, {**(error.details or {}), **named}))

    async def _text(self, text: str) -> None:
        try:
            message = self._incoming.parse(text)
        except Unreadable as error:
            self._fail(Close.UNREADABLE, error)
            return
        except Malformed as error:
            self._refuse(error, error.id)
            return
        media = isinstance(message, Frame | Audio)
        if not (self._media if media else self.line.control).take():
            limit = f"{MEDIA_PER_S} frames and chunks of sound" if media else "20 control messages"
            self._fail(Close.TOO_MUCH, RateLimited(f"more than {limit} a second"))
            return
        match message:
            case Frame():
                self._picture(message.ts, message.data, message.frame_id)
            case Audio():
                self._sound(message.ts, message.data, message.rate)
            case Ping():
                self.line.outbox.say(messages.pong(message, time.time()))
            case Command():
                self._command(message)
            case Start():
                await self._start(message)
            case AttachTo():
                await self._attach(message)
            case End():
                await self._end(message)

    def _binary(self, message: bytes) -> None:
        tag = message[0] if message else None
        if tag not in (IMAGE, PCM):
            self._fail(
                Close.UNKNOWN_TAG, InvalidRequest(f"unknown tag {tag} of a binary message, have: {IMAGE}, {PCM}")
            )
        elif not self._media.take():
            self._fail(Close.TOO_MUCH, RateLimited(f"more than {MEDIA_PER_S} frames and chunks of sound a second"))
        elif len(message) < 9:
            self._refuse(
                InvalidRequest(f"a binary message has a tag, 8 bytes of ts and data, got {len(message)} bytes")
            )
        else:
            (ts,) = struct.unpack_from("<d", message, 1)
            if not -1e10 < ts < 1e10:
                self._refuse(InvalidRequest(f"ts must be seconds, got {ts!r}"))
            elif tag == IMAGE:
                self._picture(ts, message[9:], None)
            else:
                self._sound(ts, message[9:], PCM_RATE)

    def _picture(self, ts: float, data: bytes | str, id: str | None) -> None:
        try:
            self._publishes("video").picture(ts, data, id)
        except VedetteError as error:
            self._refuse_picture(error, ts, id)

    def _sound(self, ts: float, data: bytes | str, rate: int) -> None:
        try:
            self._publishes("audio").sound(ts, data, rate)
        except VedetteError as error:
            self._refuse_picture(error, ts, None)

    def _publishes(self, kind: str) -> Intake:
        """Where media goes. Raises InvalidRequest where it does not."""
        if self._intake is None or self._session is None:
            raise InvalidRequest("this connection does not publish: start, or attach with publish, comes first")
        if kind not in self._session.takes:
            raise InvalidRequest(f"this session takes no {kind}, only {', '.join(self._session.takes)}")
        return self._intake

    async def _start(self, message: Start) -> None:
        if self._attached:
            self._fail(Close.CONFLICT, Conflict("this connection has a session already"), message.id)
        elif self._principal.role < Role.OPERATOR:
            self._fail(Close.FORBIDDEN, _needs_operator("start"), message.id)
        else:
            try:
                session = await self._starts.start(message)
            except Overloaded as error:
                self._fail(Close.OVERLOADED, error, message.id)
            except VedetteError as error:
                self._refuse(error, message.id)
            else:
                limits = {"maxBytes": MAX_MESSAGE_BYTES, "inFlight": IN_FLIGHT, "audioRates": list(AUDIO_RATES)}
                self._join(session, message.kinds, message.annotated, publish=bool(session.takes))
                self._say_joined("started", message.id, {"sourceId": session.row.source_id, "limits": limits})
                self._follow(0)

    async def _attach(self, message: AttachTo) -> None:
        if self._attached:
            self._refuse(Conflict("this connection has a session already, open another"), message.id)
            return
        if message.publish and self._principal.role < Role.OPERATOR:
            self._fail(Close.FORBIDDEN, _needs_operator("publish"), message.id)
            return
        try:
            session = await self._starts.find(message.session_id)
            if isinstance(session, Archive):
                await self._read(session, message)
                return
            if message.publish:
                if not session.takes:
                    raise Conflict(f"session {session.row.id} has a source of its own, watch it instead")
                session.admit(self._principal.id)
        except NotFound as error:
            self._fail(Close.NOT_FOUND, error, message.id)
        except Conflict as error:
            self._fail(Close.CONFLICT, error, message.id)
        except VedetteError as error:
            self._refuse(error, message.id)
        else:
            self._join(session, message.kinds, message.annotated, publish=message.publish)
            self._say_joined("attached", message.id, {})
            self._follow(message.after)

    def _join(self, session: LiveSession, kinds: frozenset[str] | None, annotated: Pictures, *, publish: bool) -> None:
        self._attached, self._session = True, session
        session.clients.sockets[self.id] = self
        outbox = self.line.outbox
        self._delivery = Delivery(session, outbox, self._losses, session.stats, reads_again=True, once=True)
        self._delivery.kinds = kinds
        self._pictures = PictureSender(session, outbox, self._starts.prints)
        if publish:
            self._intake = Intake(
                session.stamps, self._starts.threads, session.stats, self._losses, self._refuse_picture
            )
            session.publish(self, self._principal.id, self._intake.tracks, self._intake)
        self._pictures.want(annotated)

    def _say_joined(self, type: str, id: str | None, more: Mapping[str, Any]) -> None:
        assert self._session is not None
        role = "viewer" if self._intake is None else "publisher"
        self.line.outbox.say(messages.answer(type, id, role=role, **self._session.describe(), **more))

    def _follow(self, after: int) -> None:
        assert self._delivery is not None
        self._delivery.begin(after)

    async def _read(self, archive: Archive, message: AttachTo) -> None:
        """What is left of a session that has ended."""
        self._attached = True
        self.line.outbox.say(messages.answer("attached", message.id, role="viewer", **archive.describe()))
        self._delivery = Delivery(archive, self.line.outbox, self._losses, Stats(), reads_again=True, once=True)
        self._delivery.kinds = message.kinds
        self._delivery.begin(message.after)
        await self._delivery.caught_up()
        self.line.end_soon(Close.OK, f"the session has {archive.describe()['state']}")

    def _command(self, command: Command) -> None:
        if len(self._commands) >= MAX_COMMANDS:
            error = Overloaded(f"{MAX_COMMANDS} commands are under way on this connection")
            self.line.outbox.say(messages.refusal(command.id, error))
            return
        task = asyncio.create_task(self._perform(command), name="stream-command")
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def _perform(self, command: Command) -> None:
        self.line.outbox.say(await perform(command, self._do, StreamWishes, self._wish))

    async def _do(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            raise InvalidRequest("there is no session yet: start or attach comes first")
        if self._principal.role < commands.role_of(name):
            raise _needs_operator(name)
        return await self._session.command(name, args)

    def _wish(self, wishes: StreamWishes) -> dict[str, Any]:
        assert self._delivery is not None
        assert self._pictures is not None
        if "kinds" in wishes.model_fields_set:
            self._delivery.kinds = wishes.kinds
        if "annotated" in wishes.model_fields_set:
            self._pictures.want(wishes.annotated)
        return {"kinds": self._delivery.wanted, "annotated": self._pictures.how}

    async def _end(self, message: End) -> None:
        """The client is done: a publisher's session ends, a watcher leaves."""
        session = self._session
        seq = 0 if session is None else session.last_seq
        if session is not None and self._intake is not None and session.clients.publisher is self:
            await self._intake.finish()
            self._farewell = messages.reply(message.id, {"state": "ended"})
            await session.end("its publisher has ended it")
        else:
            self._farewell = messages.reply(message.id, {"seq": seq})
            self.line.end_soon(Close.OK, "ended by the client")

    async def _last_words(self) -> None:
        """Send the client what is due to it: the outcome of its pictures, stored events, the answer to `end`."""
        if self._intake is not None:
            await self._intake.close()
        if self._delivery is not None:
            while not self._delivery.idle:  # noqa: ASYNC110 (asked for a second at most, and by nobody else)
                await asyncio.sleep(DRAIN_POLL_S)
        self._losses.tell()
        if self._farewell is not None:
            self.line.outbox.say(self._farewell)

    async def _leave(self) -> None:
        for task in tuple(self._commands):
            task.cancel()
        if self._commands:
            await asyncio.wait(self._commands)
        for part in (self._intake, self._pictures, self._delivery):
            if part is not None:
                await part.close()
        self._losses.close()
        await self.line.over()
        if self._session is not None:
            self._session.parted(self, None if self._intake is None else self, self.line.reason)


def _needs_operator(what: str) -> Forbidden:
    return Forbidden(f"{what} needs the role operator, this token is a viewer's")
