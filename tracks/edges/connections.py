"""The parts of a peer connection (aiortc 1.16.0, aioice 0.13.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aioice import Connection
from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpTransceiver


def each_connection(pc: RTCPeerConnection, hook: Callable[[Connection], None]) -> None:
    """Call `hook` with every ICE connection that `pc` has and with each one that it makes later.

    aiortc makes a connection per m-section while it applies an offer, and closes the bundled ones again.
    """
    # Hooks replace methods on the instance, which is how no other peer connection of the process is touched.
    private: Any = pc
    for transport in tuple(private._RTCPeerConnection__iceTransports):
        hook(transport._connection)
    create: Callable[[], RTCDtlsTransport] = private._RTCPeerConnection__createDtlsTransport

    def create_and_hook() -> RTCDtlsTransport:
        transport = create()
        hook(transport.transport._connection)
        return transport

    private._RTCPeerConnection__createDtlsTransport = create_and_hook


def offered_direction(transceiver: RTCRtpTransceiver) -> str | None:
    """The offered direction as we see it: `recvonly` when the offerer only sends. None before the offer."""
    direction: str | None = transceiver._offerDirection
    return direction
