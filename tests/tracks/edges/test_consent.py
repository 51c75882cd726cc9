"""A peer that does not answer any more is gone, within a time that is set."""

from __future__ import annotations

import time
from typing import Any, cast

from aiortc import RTCPeerConnection

from tests.tracks.edges.peers import connection, negotiate, peer
from tests.waiting import until
from tracks import edges
from tracks.stats import Stats


async def connected() -> tuple[RTCPeerConnection, RTCPeerConnection]:
    """A client and a server that asks for consent every 50 ms, and takes 0.4 s without it for the end."""
    client, server = peer(), peer()
    client.createDataChannel("events")
    edges.guard_datagrams(server, Stats())
    edges.limit_consent(server, expires_s=0.4, every_s=0.05)
    await negotiate(client, server)
    await until(lambda: server.connectionState == "connected")
    return client, server


async def test_a_peer_that_falls_silent_is_gone() -> None:
    """As one whose network went away: it neither answers nor says goodbye."""
    client, server = await connected()
    try:
        for protocol in cast(Any, connection(client))._protocols:
            protocol.datagram_received = lambda data, address: None
        silent_s = time.monotonic()
        await until(lambda: server.connectionState in ("failed", "closed"))
        assert time.monotonic() - silent_s < 5
    finally:
        await edges.close_peer(client)
        await edges.close_peer(server)


async def test_a_peer_that_answers_stays() -> None:
    """For many times as long as it may be silent."""
    client, server = await connected()
    try:
        asked = 0
        build = connection(server).build_request

        def count(*given: Any, **named: Any) -> Any:
            nonlocal asked
            asked += 1
            return build(*given, **named)

        connection(server).build_request = count
        await until(lambda: asked > 30)
        assert server.connectionState == "connected"
    finally:
        await edges.close_peer(client)
        await edges.close_peer(server)
