"""A camera, picture and sound, decoded in a process of its own from a connection that is handed to it.

```python
async with watch_camera(connection) as feed:
    feed.info.video
    async for part in feed.parts():
        match part:
            case Shot():
                part.at_s, part.take()
            case Played():
                part.start_s, part.samples
            case Tally():
                part.late
```
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field

from ..errors import SourceUnreachable, VedetteError
from ..rtsp.waits import Waits
from ..sources.reach import Reach, Resolve, look_up
from ..sources.urls import MediaUrl
from . import wire
from .info import MediaInfo, Tally
from .limits import LIVE, Limits
from .process import Child, DecoderLost, running_on
from .ring import Ring
from .shown import Played, Reading, Shot

DEFAULT_WAITS = Waits()
CONNECT_S = 3.0
SLOTS = 8
"""Pictures that circulate: what is looked at, what is encoded, and what comes next."""
FROZEN_S = 10.0
"""So long the child may say nothing before it is taken for dead; when the camera is silent, it ends sooner itself."""
EARLIEST_S, LATEST_S = 30.0, 5.0
"""Times further back, or ahead, are not those of a camera."""
UDP_SOCKETS = 4
"""RTP and RTCP of picture and sound."""
RECEIVE_BYTES = 2 * 1024 * 1024
"""For datagrams that the kernel keeps meanwhile: keyframes come all at once."""


@dataclass(slots=True)
class Connection:
    """Sockets that lead to a camera, and what it is asked for. Whoever has it closes it."""

    url: MediaUrl
    stream: socket.socket
    datagrams: Sequence[socket.socket] = field(default_factory=tuple)

    def close(self) -> None:
        """Let go of the camera."""
        for each in (self.stream, *self.datagrams):
            each.close()

    def detach(self) -> tuple[int, Sequence[int]]:
        """Their descriptors, which are somebody else's to close from now on."""
        return self.stream.detach(), [each.detach() for each in self.datagrams]


async def connect(url: MediaUrl, reach: Reach, *, udp: bool = False, resolve: Resolve | None = None) -> Connection:
    """A connection to where the url leads, if that is allowed. Raises ForbiddenUrl and SourceUnreachable."""
    address = await look_up(url.host, url.port, reach, resolve)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = Connection(url, socket.socket(family, socket.SOCK_STREAM))
    try:
        found.stream.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(found.stream, (address, url.port))
        except TimeoutError:
            raise SourceUnreachable(f"{url.authority} does not answer within {CONNECT_S:g} s") from None
        except OSError as error:
            # asyncio's own words repeat the address.
            why = "refused" if isinstance(error, ConnectionRefusedError) else os.strerror(error.errno or 0)
            raise SourceUnreachable(f"{url.authority} cannot be reached: {why}") from None
        if udp:
            found.datagrams = [_datagrams(found.stream) for _ in range(UDP_SOCKETS)]
    except BaseException:
        found.close()
        raise
    return found


def _datagrams(beside: socket.socket) -> socket.socket:
    """A datagram socket on the address by which the camera is reached."""
    made = socket.socket(beside.family, socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    made.bind((beside.getsockname()[0], 0))
    return made


class Feed:
    """A camera while it is watched. `watch_camera` makes it."""

    def __init__(self, child: Child, info: MediaInfo, ring: Ring, now: Callable[[], float] = time.monotonic) -> None:
        self._child = child
        self._ring = ring
        self._now = now
        self._reading = Reading(child, ring, self._is_now, wire.PLAY_RATE // 10, 0.0)
        self.info = info

    async def parts(self) -> AsyncGenerator[Shot | Played | Tally, None]:
        """Pictures and sound as they come, for ever. Times are seconds of this machine's monotonic clock.

        Raises what becomes of the camera, or DecoderLost.
        """
        async with aclosing(self._child.messages(FROZEN_S, self._room)) as messages:
            async for kind, payload in messages:
                if kind == wire.PICTURE:
                    yield self._reading.shot(payload)
                elif kind == wire.PLAY:
                    yield self._reading.played(payload)
                elif kind == wire.TALLY:
                    yield self._child.parse(Tally, payload)
                else:
                    raise self._child.nonsense()

    async def _room(self) -> None:
        """The child never waits for room."""

    def _is_now(self, at_s: float) -> bool:
        return -EARLIEST_S < at_s - self._now() < LATEST_S


@asynccontextmanager
async def watch_camera(
    connection: Connection, *, audio: bool = True, waits: Waits = DEFAULT_WAITS, limits: Limits = LIVE
) -> AsyncIterator[Feed]:
    """The camera at the other end, from its first picture on. Takes over the connection; leaving kills the child.

    Raises SourceUnreachable, UnsupportedMedia, PayloadTooLarge and ForbiddenUrl (for redirects), without the camera's
    credentials in them; Overloaded, and DecoderLost.
    """
    url = connection.url
    given = {"url": url.bare, "username": url.username, "password": url.password, "waits": asdict(waits)}
    ring = Ring(limits, SLOTS)
    try:
        stream, datagrams = connection.detach()
        async with running_on(
            "camera", stream, limits, pictures=ring, sound=audio, given=given, datagrams=datagrams
        ) as child:
            info = await child.first(MediaInfo)
            if info.video is None:
                raise child.nonsense()
            ring.fit(info.video.width, info.video.height)
            yield Feed(child, info, ring)
    except VedetteError as error:
        raise _scrubbed(error, url) from None
    finally:
        ring.close()


def _scrubbed(error: VedetteError, url: MediaUrl) -> VedetteError:
    """The error without what a camera may have put into it of what it was sent."""
    details = None if error.details is None else json.loads(url.scrub(json.dumps(error.details)))
    return type(error)(url.scrub(error.message), details)


__all__ = ["Connection", "DecoderLost", "Feed", "Tally", "connect", "watch_camera"]
