"""The talk with a camera: what do you have, send me this, I am still here (RFC 2326)."""

from __future__ import annotations

import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import ForbiddenUrl, SourceUnreachable, UnsupportedMedia
from . import sdp
from .auth import Identity
from .line import Line
from .message import Asked, Inbox, Interleaved, Reply, Unreadable, interleaved, reply, request
from .rtp import receiver_report
from .waits import Waits

KEEP_ALIVE_S, LEAST_KEEP_ALIVE_S = 25.0, 2.0
"""Between requests that say that we are here, unless the camera wants them sooner; sessions last 60 s by default."""
REPORT_S = 5.0
MAX_WAITING = 512
"""Packets that came while a reply was waited for."""


@dataclass(slots=True)
class Stream:
    """One stream that was set up."""

    media: sdp.Media
    channel: int
    """Of RTP over the connection; RTCP has the next one."""
    socket: int | None = None
    """Number of the datagram socket of RTP; RTCP has the next one."""
    ports: tuple[int, int] | None = None
    """Of the camera, for RTP and RTCP."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet of a stream."""

    stream: Stream
    is_rtcp: bool
    data: bytes
    waited: bool
    """Nothing was there to be read before it came."""


class Dialogue:
    """One session with a camera. Blocking."""

    def __init__(
        self,
        line: Line,
        url: str,
        identity: Identity | None,
        waits: Waits,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is without credentials."""
        self._line = line
        self._url = url
        self._identity = identity
        self._waits = waits
        self._now = now
        self._inbox = Inbox()
        self._number = 0
        self._session = ""
        self._control = url
        self._streams: list[Stream] = []
        self._waiting: deque[Interleaved] = deque(maxlen=MAX_WAITING)
        self._keep_alive_s = KEEP_ALIVE_S
        self._keep_alive = "OPTIONS"
        self._ssrc = secrets.randbits(32)

    def describe(self) -> list[sdp.Media]:
        """What the camera offers. Raises SourceUnreachable, ForbiddenUrl for a redirect, UnsupportedMedia."""
        options = self._ask("OPTIONS", self._url)
        if "GET_PARAMETER" in options.header("Public").upper():
            self._keep_alive = "GET_PARAMETER"
        found = self._agreed("DESCRIBE", self._url, {"Accept": "application/sdp"})
        if not found.body.lstrip().startswith(b"v="):
            raise UnsupportedMedia("the camera does not describe what it sends as SDP")
        base = _clean(found.header("Content-Base") or found.header("Content-Location")) or self._url
        self._control = base
        return sdp.read(found.body.decode("utf-8", "replace"), base)

    def set_up(self, media: sdp.Media, *, udp: bool) -> Stream:
        """Agree on how a stream is to come. Raises as `describe`."""
        number = len(self._streams)
        ports = self._line.ports[2 * number : 2 * number + 2]
        how = (
            f"unicast;client_port={ports[0]}-{ports[1]}"
            if udp
            else f"unicast;interleaved={2 * number}-{2 * number + 1}"
        )
        transport = "RTP/AVP" if udp else "RTP/AVP/TCP"
        headers = {"Transport": f"{transport};{how}", **self._in_session()}
        answer = self._agreed("SETUP", media.control, headers)
        session, _, rest = answer.header("Session").partition(";")
        self._session = _clean(session)
        if wanted := re.search(r"timeout\s*=\s*(\d{1,5})", rest):
            self._keep_alive_s = max(LEAST_KEEP_ALIVE_S, min(KEEP_ALIVE_S, int(wanted[1]) / 2))
        agreed = answer.header("Transport")
        stream = Stream(media, 2 * number, 2 * number if udp else None)
        if udp:
            found = re.search(r"server_port=(\d{1,5})(?:-(\d{1,5}))?", agreed)
            stream.ports = None if found is None else (int(found[1]), int(found[2] or int(found[1]) + 1))
        elif found := re.search(r"interleaved=(\d{1,3})", agreed):
            stream.channel = int(found[1])
        self._streams.append(stream)
        return stream

    def play(self) -> None:
        """Let it begin. Raises as `describe`."""
        for stream in self._streams:
            if stream.socket is not None and stream.ports is not None:
                # So that a firewall on the way lets the answer through (RFC 7826, appendix C.1).
                self._line.send_datagram(stream.socket, b"\x80\0" + bytes(10), stream.ports[0])
        self._agreed("PLAY", self._control, {"Range": "npt=0.000-", **self._in_session()})

    def packets(self) -> Iterator[Arrived]:
        """What comes, for ever, while the camera is told that we are here. Raises SourceUnreachable."""
        now_s = self._now()
        alive_s, report_s, heard_s = now_s + self._keep_alive_s, now_s, now_s
        while True:
            now_s = self._now()
            if now_s >= alive_s:
                self._send(self._keep_alive, self._control, self._in_session())
                alive_s = now_s + self._keep_alive_s
            if now_s >= report_s:
                self._report()
                report_s = now_s + REPORT_S
            came = False
            for each in self._take(min(alive_s, report_s, heard_s + self._waits.silence_s)):
                came = True
                yield each
            if came:
                heard_s = self._now()
            elif self._now() >= heard_s + self._waits.silence_s:
                raise SourceUnreachable(f"the camera sent nothing for {self._waits.silence_s:g} s")

    def _take(self, deadline_s: float) -> Iterator[Arrived]:
        """What there is, or comes in time."""
        while self._waiting:
            if (found := self._placed(self._waiting.popleft(), True)) is not None:
                yield found
        data = self._line.read(deadline_s)
        waited = self._line.waited
        while (datagram := self._line.datagram()) is not None:
            number, packet = datagram
            for stream in self._streams:
                if stream.socket is not None and number in (stream.socket, stream.socket + 1):
                    yield Arrived(stream, number != stream.socket, packet, waited)
        if data:
            self._inbox.put(data)
            while (message := self._next()) is not None:
                if isinstance(message, Interleaved):
                    if (found := self._placed(message, waited)) is not None:
                        yield found
                        waited = False
                else:
                    self._heed(message)

    def _placed(self, packet: Interleaved, waited: bool) -> Arrived | None:
        for stream in self._streams:
            if stream.socket is None and packet.channel in (stream.channel, stream.channel + 1):
                return Arrived(stream, packet.channel != stream.channel, packet.data, waited)
        return None

    def _heed(self, message: Reply | Asked) -> None:
        """What the camera says while it sends."""
        if isinstance(message, Asked):
            self._answer(message)
        elif message.status == 401 and self._identity is not None:
            self._identity.challenged(message.headers.get("www-authenticate", ()))  # for the next one
        elif message.status == 454:
            raise SourceUnreachable("the camera has ended the session")

    def _answer(self, asked: Asked) -> None:
        number = next(iter(asked.headers.get("cseq", ())), "0")
        known = asked.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE")
        self._line.write(reply(200, "OK", number) if known else reply(501, "Not Implemented", number))

    def _report(self) -> None:
        packet = receiver_report(self._ssrc)
        for stream in self._streams:
            if stream.socket is None:
                self._line.write(interleaved(stream.channel + 1, packet))
            elif stream.ports is not None:
                self._line.send_datagram(stream.socket + 1, packet, stream.ports[1])

    def _in_session(self) -> Mapping[str, str]:
        return {"Session": self._session} if self._session else {}

    def _agreed(self, method: str, uri: str, headers: Mapping[str, str]) -> Reply:
        """Ask, and insist on yes."""
        answer = self._ask(method, uri, headers)
        if answer.status == 200:
            return answer
        said = f"{answer.status} {answer.reason}".strip()
        details = {"status": answer.status, "request": method}
        if 300 <= answer.status < 400:
            raise ForbiddenUrl(f"the camera redirects ({said}), which is not followed: give the url that it leads to")
        if answer.status in (401, 403):
            why = "wants other credentials" if self._identity is not None else "wants credentials"
            raise SourceUnreachable(f"the camera {why} ({said})", details)
        if answer.status == 461:
            raise SourceUnreachable(f"the camera does not send over this transport ({said}), try the other", details)
        if answer.status in (415, 551):
            raise UnsupportedMedia(f"the camera answered {method} with {said}", details)
        raise SourceUnreachable(f"the camera answered {method} with {said}", details)

    def _ask(self, method: str, uri: str, headers: Mapping[str, str] | None = None) -> Reply:
        answer = self._exchange(method, uri, headers or {})
        if answer.status == 401 and self._identity is not None:
            if self._identity.challenged(answer.headers.get("www-authenticate", ())):
                return self._exchange(method, uri, headers or {})
            raise SourceUnreachable("the camera wants to be told the credentials in a way that is not known")
        return answer

    def _exchange(self, method: str, uri: str, headers: Mapping[str, str]) -> Reply:
        number = self._send(method, uri, headers)
        deadline_s = self._now() + self._waits.reply_s
        while True:
            while (message := self._next()) is not None:
                if isinstance(message, Interleaved):
                    self._waiting.append(message)
                elif isinstance(message, Asked):
                    self._answer(message)
                elif message.number in (number, -1) and message.status >= 200:
                    return message
            data = self._line.read(deadline_s)
            if data is None:
                raise SourceUnreachable(f"the camera did not answer {method} within {self._waits.reply_s:g} s")
            while self._line.datagram() is not None:
                pass
            self._inbox.put(data)

    def _send(self, method: str, uri: str, headers: Mapping[str, str]) -> int:
        self._number += 1
        who = {} if self._identity is None else self._identity.header(method, uri)
        self._line.write(request(method, uri, self._number, {**headers, **who}))
        return self._number

    def _next(self) -> Reply | Asked | Interleaved | None:
        try:
            return self._inbox.take()
        except Unreadable as error:
            raise SourceUnreachable(f"what is there does not speak RTSP: {error}") from None


def chosen(offered: Sequence[sdp.Media], kind: str) -> sdp.Media | None:
    """The first stream of a kind that can be taken."""
    return next((each for each in offered if each.kind == kind and each.decoder is not None), None)


def _clean(text: str) -> str:
    """What is sent back to the camera as it came: without what would end a line."""
    return "".join(each for each in text if " " < each <= "~")
