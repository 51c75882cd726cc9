"""Peers that join sessions."""

from __future__ import annotations

from signaling.peer import Peer, PeerHost, PeerOptions
from signaling.terms import Terms
from tracks.errors import Overloaded
from tracks.events.envelope import new_id

from .guest import Guest
from .principal import Principal
from .roles import Role
from .session import LiveSession
from .sessions import LiveSessions

MAX_PENDING_PEERS = 32
"""Peers that have not connected yet, of all sessions."""
RETRY_AFTER_S = 3


class Joining:
    """Negotiates with those who want to connect."""

    def __init__(self, live: LiveSessions, options: PeerOptions) -> None:
        self._live = live
        self._options = options

    async def answer(
        self,
        session: LiveSession,
        sdp: str,
        type: str,
        principal: Principal,
        *,
        terms: Terms | None = None,
        host: PeerHost | None = None,
        id: str | None = None,
    ) -> tuple[Peer, str]:
        """A new peer of a session, and the SDP of the answer. Raises Overloaded, and what `Peer.answer` raises.

        `host` is what it is given for the session: unless told, the session itself, where its role is enough for that.
        """
        pending = sum(not peer.connected for each in self._live for peer in each.clients.peers.values())
        if pending >= MAX_PENDING_PEERS:
            message = f"{pending} peers have not connected yet, try again in a few seconds"
            raise Overloaded(message, {"retryAfter": RETRY_AFTER_S})
        if host is None:
            host = session if principal.role >= Role.OPERATOR else Guest(session)
        peer = Peer(id or new_id(), host, self._options, principal.id, terms)
        session.clients.peers[peer.id] = peer
        return peer, await peer.answer(sdp, type)
