"""The guard in front of the UDP sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aioice.ice import StunProtocol
from aioice.stun import Class, Message, Method
from aiortc import (
    VideoStreamTrack,
)

from tests.tracks.edges.peers import connection, port_of, session
from tests.waiting import until
from tracks.edges import datagrams
from tracks.edges.receiver import TRACK_FRAMES


async def test_an_empty_datagram_leaves_the_session_alive() -> None:
    """Empty and malformed datagrams to a live session's port are dropped and counted, and media goes on."""
    async with session(VideoStreamTrack()) as (_, server, stats):
        track = server.getReceivers()[0].track
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            # 0x0001 with a truncated PRIORITY makes aioice raise struct.error.
            truncated = bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0024000100000000")
            for data in (b"", b"", truncated, b"\x00", b"\x80" * 50, b"\x16" * 50):
                stranger.sendto(data, port_of(server))
        await until(lambda: stats.drops["datagram"] >= 6)
        for _ in range(2 * TRACK_FRAMES["video"]):
            await track.recv()
        assert server.connectionState == "connected"


async def test_a_flood_is_bounded() -> None:
    """20,000 datagrams from a stranger do not reach the queue."""
    async with session(VideoStreamTrack()) as (_, server, stats):
        waiting: asyncio.Queue[object] = connection(server)._queue
        await server.getReceivers()[0].track.recv()
        protocol: Any = connection(server)._protocols[0]
        for number in range(20000):
            protocol.datagram_received(b"\x80" + number.to_bytes(4, "big") * 20, ("192.0.2.99", 5000))
        assert waiting.qsize() < 50
        assert stats.drops["datagram"] == 20000


async def test_the_queue_is_bounded_for_known_addresses_too() -> None:
    """Nor does a flood from the peer's own address grow the process, if the loop does not come to read it."""
    async with session(VideoStreamTrack()) as (_, server, stats):
        guarded = connection(server)
        protocol: Any = guarded._protocols[0]
        address = guarded._nominated[1].remote_addr
        for _ in range(20000):
            protocol.datagram_received(b"\x80" * 50, address)
        assert guarded._queue.qsize() <= datagrams.MAX_QUEUED
        assert stats.drops["datagram"] >= 20000 - datagrams.MAX_QUEUED


async def test_a_check_without_priority_connects() -> None:
    """A connectivity check without PRIORITY, as old versions of ffmpeg send it, makes a candidate pair."""
    async with session() as (_, server, _):
        guarded = connection(server)
        known = len(guarded._remote_candidates)
        request = Message(Method.BINDING, Class.REQUEST)
        request.attributes["USERNAME"] = f"{guarded.local_username}:{guarded.remote_username}"
        request.add_message_integrity(guarded.local_password.encode())
        parsed_protocol: StunProtocol = guarded._protocols[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            parsed_protocol.datagram_received(bytes(request), client.getsockname())
        assert len(guarded._remote_candidates) == known + 1


async def test_peer_reflexive_candidates_are_bounded() -> None:
    """A peer that sends checks from ever more ports does not grow the check list without end."""
    async with session() as (_, server, stats):
        guarded = connection(server)
        for port in range(2000, 2200):
            request = Message(Method.BINDING, Class.REQUEST)
            request.attributes["USERNAME"] = f"{guarded.local_username}:{guarded.remote_username}"
            request.attributes["PRIORITY"] = 1
            request.add_message_integrity(guarded.local_password.encode())
            guarded._protocols[0].datagram_received(bytes(request), ("127.0.0.1", port))
        assert len(guarded._remote_candidates) <= datagrams.MAX_KNOWN_CANDIDATES
        assert stats.drops["datagram"] >= 100
