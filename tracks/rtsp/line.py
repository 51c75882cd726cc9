"""The sockets that lead to a camera: read and written with deadlines, and never opened here."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence

from ..errors import SourceUnreachable

READ_BYTES = 64 * 1024
DATAGRAM_BYTES = 4096
WRITE_S = 3.0
"""A camera that takes nothing for so long is given up."""
MAX_AT_ONCE = 64
"""Datagrams taken in one turn."""


class Line:
    """One connection, and datagram sockets beside it where RTP is to come over UDP. Blocking, up to a deadline."""

    def __init__(
        self,
        connection: socket.socket,
        datagrams: Sequence[socket.socket] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Everything is connected or bound, and TLS has been agreed on where it is wanted."""
        self._connection = connection
        self._datagrams = tuple(datagrams)
        self._now = now
        self._peer = str(connection.getpeername()[0]).removeprefix("::ffff:")
        self._arrived: deque[tuple[int, bytes]] = deque()
        connection.setblocking(False)
        for each in self._datagrams:
            each.setblocking(False)
        self.waited = True
        """Whether the last read had to wait: what it gave had only just come."""

    @property
    def ports(self) -> Sequence[int]:
        """Of the datagram sockets."""
        return [int(each.getsockname()[1]) for each in self._datagrams]

    def read(self, deadline_s: float) -> bytes | None:
        """What comes next over the connection, or b"" once datagrams have come; None when nothing does in time.

        Raises SourceUnreachable when the camera has closed the connection.
        """
        self.waited = False
        while True:
            if self._take_datagrams():
                return b""
            try:
                data = self._connection.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                if not self._wait(deadline_s):
                    return None
            except OSError as error:
                raise SourceUnreachable(f"the connection broke: {error.strerror or type(error).__name__}") from None
            else:
                if not data:
                    raise SourceUnreachable("the camera closed the connection")
                return data

    def datagram(self) -> tuple[int, bytes] | None:
        """(number of its socket, a datagram from the camera's address), of those that have come."""
        return self._arrived.popleft() if self._arrived else None

    def write(self, data: bytes) -> None:
        """Send over the connection. Raises SourceUnreachable."""
        rest, deadline_s = memoryview(data), self._now() + WRITE_S
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                left_s = deadline_s - self._now()
                if left_s <= 0 or not select.select([], [self._connection], [], left_s)[1]:
                    raise SourceUnreachable(f"the camera took nothing for {WRITE_S:g} s") from None
            except OSError as error:
                raise SourceUnreachable(f"the connection broke: {error.strerror or type(error).__name__}") from None

    def send_datagram(self, number: int, data: bytes, port: int) -> None:
        """Send from a datagram socket to the camera; what cannot be sent is lost, as datagrams may be."""
        each = self._datagrams[number]
        address = f"::ffff:{self._peer}" if each.family == socket.AF_INET6 and ":" not in self._peer else self._peer
        try:
            each.sendto(data, (address, port))
        except OSError:
            return

    def _take_datagrams(self) -> bool:
        for number, each in enumerate(self._datagrams):
            for _ in range(MAX_AT_ONCE):
                try:
                    data, source = each.recvfrom(DATAGRAM_BYTES)
                except BlockingIOError:
                    break
                except OSError:  # an ICMP error of something that was sent
                    continue
                if str(source[0]).removeprefix("::ffff:") == self._peer:
                    self._arrived.append((number, data))
        return bool(self._arrived)

    def _wait(self, deadline_s: float) -> bool:
        left_s = deadline_s - self._now()
        self.waited = True
        return left_s > 0 and bool(select.select([self._connection, *self._datagrams], [], [], left_s)[0])
