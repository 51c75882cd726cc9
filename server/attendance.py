"""Who is connected to a session, by whatever transport, and who of them publishes to it."""

from __future__ import annotations

import time
from typing import Protocol

from signaling.peer import Peer
from tracks.errors import Conflict

from .publisher import PeerPublisher, Publisher


class Client(Protocol):
    """Somebody who is connected to a session."""

    id: str

    async def close(self, reason: str) -> None:
        """Tell them that it is over, after the last events, and wait until they are gone."""


class Attendance:
    """The clients of one session."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self.sockets: dict[str, Client] = {}
        """Clients over `/ws/stream`."""
        self.publisher: Publisher | None = None
        self.was_watched = False
        """Whether anybody who could see or hear it has left."""
        self.left_s = time.monotonic()
        """When the publisher went, or the last of all."""
        self._owner = ""
        """Who the publisher is for access."""

    def __len__(self) -> int:
        return len(self.peers) + len(self.sockets)

    @property
    def everyone(self) -> tuple[Client, ...]:
        """All of them."""
        return (*self.peers.values(), *self.sockets.values())

    def admit(self, owner: str) -> None:
        """Raise Conflict when somebody else publishes already; the same one may take over from itself."""
        if self.publisher is not None and owner != self._owner:
            raise Conflict("the session has a publisher already, watch it instead")

    def take_over(self, publisher: Publisher, owner: str) -> None:
        """Media comes from this one now; the one before is told. See `admit`."""
        before, self.publisher, self._owner = self.publisher, publisher, owner
        if before is not None:
            before.gives_way()

    def peer_left(self, peer: Peer) -> bool:
        """A peer is gone; returns whether it was the publisher."""
        self.peers.pop(peer.id, None)
        self.was_watched = self.was_watched or peer.connected
        return self._left(isinstance(self.publisher, PeerPublisher) and peer is self.publisher.peer)

    def socket_left(self, client: Client, publisher: Publisher | None) -> bool:
        """A client over `/ws/stream` is gone, which published as `publisher`; returns whether it still did."""
        self.sockets.pop(client.id, None)
        self.was_watched = True
        return self._left(publisher is not None and publisher is self.publisher)

    def _left(self, published: bool) -> bool:
        if published:
            self.publisher = None
        if published or not len(self):
            self.left_s = time.monotonic()
        return published
