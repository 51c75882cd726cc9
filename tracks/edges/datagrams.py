"""The guard in front of every UDP socket of a peer connection (aioice 0.13.0).

aioice queues whatever is not STUN, from any source and without a bound, and aiortc reads the first byte of an empty
datagram: one empty datagram from any host closes a session, and a flood grows the process by 40 MB/s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aioice import Candidate, Connection
from aioice.candidate import candidate_priority
from aioice.ice import ConnectionClosed, ConnectionEvent, StunProtocol
from aioice.stun import Message
from aiortc import RTCPeerConnection

from ..stats import Stats
from .connections import each_connection

logger = logging.getLogger(__name__)

MAX_QUEUED = 1024
"""Datagrams between socket and DTLS transport: 3 s of video at 3 Mb/s."""
MAX_KNOWN_CANDIDATES = 60
"""Remote candidates, peer-reflexive ones included, that one peer may make us know."""

STUN = range(0, 4)
MEDIA = (*range(20, 64), *range(128, 192))
"""First bytes of DTLS, and of RTP and RTCP (RFC 7983)."""

_IS_MEDIA = bytes(first in MEDIA for first in range(256))


def guard_datagrams(pc: RTCPeerConnection, stats: Stats) -> None:
    """Let through only STUN, and media from addresses of candidate pairs; hold at most 1024 datagrams.

    What is refused is counted in `stats.drops["datagram"]`. A STUN message that aioice trips over (it raises on
    truncated attributes, and on a check without PRIORITY, which ffmpeg before 8.0 sends) does no harm. Call it before
    `setLocalDescription`, which opens the sockets; on a new `pc` it covers every connection made later.
    """
    each_connection(pc, lambda connection: _guard(connection, stats))


def _guard(connection: Connection, stats: Stats) -> None:
    private: Any = connection
    gather, get_event = private.get_component_candidates, private.get_event
    data_received: Callable[[bytes, int], None] = private.data_received
    request_received = private.request_received
    default_priority = candidate_priority(1, "prflx")
    queue = private._queue

    def bounded_data_received(data: bytes, component: int) -> None:
        # The stock code also comes here with STUN that it cannot parse, and before the sockets have their own guard;
        # there
        # is no pair before they do.
        if not data or not _IS_MEDIA[data[0]] or not private._check_list or queue.qsize() >= MAX_QUEUED:
            stats.drops["datagram"] += 1
            return
        data_received(data, component)

    def checked_request_received(message: Message, address: tuple[str, int], protocol: StunProtocol) -> None:
        known = private._remote_candidates
        if len(known) >= MAX_KNOWN_CANDIDATES and not any((c._network_host, c.port) == address for c in known):
            stats.drops["datagram"] += 1
            return
        # MESSAGE-INTEGRITY is checked over the received bytes, so adding an attribute does not break it.
        message.attributes.setdefault("PRIORITY", default_priority)
        try:
            request_received(message, address, protocol)
        except Exception:
            stats.drops["datagram"] += 1
            logger.debug("STUN request refused", exc_info=True)

    async def gather_guarded(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        candidates: list[Candidate] = await gather(component, addresses, timeout)
        for protocol in private._protocols:
            _guard_protocol(protocol, private, stats)
        if private._closing:
            # Closed while gathering: nobody else knows these sockets.
            for protocol in private._protocols:
                await protocol.close()
            private._protocols.clear()
            return []
        return candidates

    async def get_event_or_closed() -> ConnectionEvent:
        # RTCIceTransport._monitor asks again and again, without ever yielding, once the connection is closed.
        event: ConnectionEvent | None = await get_event()
        return event or ConnectionClosed()

    private.data_received = bounded_data_received
    private.request_received = checked_request_received
    private.get_component_candidates = gather_guarded
    private.get_event = get_event_or_closed


def _guard_protocol(protocol: StunProtocol, connection: Any, stats: Stats) -> None:
    received = protocol.datagram_received
    component: int = protocol.local_candidate.component
    known: set[tuple[str, int]] = set()

    def datagram_received(data: bytes | str, address: tuple[Any, ...]) -> None:
        if not data or isinstance(data, str):
            stats.drops["datagram"] += 1
            return
        if data[0] in STUN:
            try:
                received(data, address)
            except Exception:
                # parse_message lets struct.error and others escape.
                stats.drops["datagram"] += 1
                logger.debug("STUN message refused", exc_info=True)
            return
        source = (address[0], address[1])
        if source not in known:
            pairs = (*connection._check_list, *connection._nominated.values())
            if not any(pair.remote_addr == source for pair in pairs):
                stats.drops["datagram"] += 1
                return
            # Bounded by the number of remote candidates.
            known.add(source)
        # Past parse_message, which would raise and catch a ValueError for each media packet.
        connection.data_received(data, component)

    private: Any = protocol
    private.datagram_received = datagram_received
