"""A session as somebody sees it who may look, listen and give a viewer's commands, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from aiortc import MediaStreamTrack, RTCRtpReceiver

from signaling.peer import Peer
from tracks.bus import Subscription
from tracks.events import Event

from . import commands
from .origin import Forbidden
from .roles import Role
from .session import LiveSession


class Guest:
    """What a viewer's peer is given for a session: `signaling.peer.PeerHost`."""

    def __init__(self, session: LiveSession, *, raw: bool = False) -> None:
        """With `raw`, the picture has nothing drawn on it."""
        self.stats = session.stats
        self._raw = raw
        self._session = session

    @property
    def takes(self) -> Collection[str]:
        """Nothing: media that the peer offers is not received."""
        return ()

    def annotated(self) -> MediaStreamTrack | None:
        """The session's."""
        return self._session.annotated(raw=self._raw)

    def sound(self) -> MediaStreamTrack | None:
        """The session's."""
        return self._session.sound()

    def admit(self, owner: str) -> None:
        """Never called, as nothing is taken."""
        raise Forbidden(f"bringing media needs the role {Role.OPERATOR.word}")

    def published(self, peer: Peer, receivers: Sequence[RTCRtpReceiver]) -> None:
        """Never called, as nothing is taken."""
        raise Forbidden(f"bringing media needs the role {Role.OPERATOR.word}")

    def left(self, peer: Peer) -> None:
        """The session's."""
        self._session.left(peer)

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        """The session's."""
        return self._session.subscribe(stored=stored, capacity=capacity, on_drop=on_drop)

    def describe(self) -> dict[str, Any]:
        """The session's."""
        return self._session.describe()

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        """The session's."""
        return await self._session.history(after, limit)

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """Done where a viewer may give it. Raises Forbidden where not, else what `commands.run` raises."""
        needed = commands.role_of(name)
        if needed > Role.VIEWER:
            raise Forbidden(f"the command {name!r} needs the role {needed.word}")
        return await self._session.command(name, args)
