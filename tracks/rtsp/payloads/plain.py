"""Formats in which a packet is what a decoder takes: Opus (RFC 7587) and G.711 (RFC 3551)."""

from __future__ import annotations

from collections.abc import Iterable

from ..rtp import Packet
from .unit import Unit


class Plain:
    """Every packet is a unit."""

    extradata = b""
    damaged = 0

    def put(self, packet: Packet, gap: bool) -> Iterable[Unit]:
        """See `Depacketizer`."""
        if packet.payload:
            yield Unit(packet.payload, packet.timestamp)
