"""Real peer connections for the tests of the hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
)
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from tests.waiting import until
from tracks import edges
from tracks.stats import Stats

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)


def peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def connection(pc: RTCPeerConnection) -> Any:
    (transport,) = cast(Any, pc)._RTCPeerConnection__iceTransports
    return transport._connection


async def negotiate(client: RTCPeerConnection, server: RTCPeerConnection) -> None:
    """Connect a client to a server on whose connection hooks may have been put; its receivers are not tuned."""
    await client.setLocalDescription(await client.createOffer())
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    await client.setRemoteDescription(server.localDescription)


@asynccontextmanager
async def session(*tracks: MediaStreamTrack) -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection, Stats]]:
    """A client that sends the tracks to a server with every hook, connected on loopback."""
    client, server, stats = peer(), peer(), Stats()
    channel = client.createDataChannel("events")
    for track in tracks:
        client.addTrack(track)
    server.on("track", lambda track: None)
    try:
        edges.guard_datagrams(server, stats)
        edges.restrict_gathering(server, edges.LOOPBACK_ONLY)
        edges.admit_candidates(server)
        await client.setLocalDescription(await client.createOffer())
        await server.setRemoteDescription(client.localDescription)
        for receiver in server.getReceivers():
            edges.tune_receiver(receiver, stats)
        await server.setLocalDescription(await server.createAnswer())
        await client.setRemoteDescription(server.localDescription)
        await until(lambda: server.connectionState == "connected" and channel.readyState == "open")
        yield client, server, stats
    finally:
        await edges.close_peer(client)
        await edges.close_peer(server)


def port_of(pc: RTCPeerConnection) -> tuple[str, int]:
    (candidate,) = connection(pc).local_candidates
    return candidate.host, candidate.port


def rtp(sequence: int, timestamp: int, payload: bytes, marker: bool = True) -> RtpPacket:
    packet = RtpPacket(
        payload_type=VP8.payloadType, marker=int(marker), sequence_number=sequence, timestamp=timestamp, payload=payload
    )
    packet.ssrc = 1
    return packet


def video_receiver(stats: Stats, known: RTCRtpCodecParameters = VP8) -> tuple[RTCPeerConnection, Any, edges.Intake]:
    """A tuned receiver that knows VP8 and whose decoder does not run."""
    pc = peer()
    receiver: Any = pc.addTransceiver("video").receiver
    intake = edges.tune_receiver(receiver, stats)
    receiver._RTCRtpReceiver__codecs[known.payloadType] = known
    return pc, receiver, intake


START = b"\x10"
"""A VP8 payload descriptor: first packet of a frame, nothing else."""
KEY, DELTA = b"\x00key", b"\x01delta"
