"""What packets are put together to, and who does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..rtp import Packet

MAX_UNIT_BYTES = 8 * 1024 * 1024
"""Of one picture as it is sent; a larger one is left out."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a decoder takes at once: a picture, or some sound."""

    data: bytes
    timestamp: int
    key: bool = True
    """Decoding may begin here."""


class Depacketizer(Protocol):
    """Puts units together from the packets of one stream, which come in order."""

    extradata: bytes
    """For the decoder, before the first unit."""
    damaged: int
    """Units that were left out because a part of them is missing or makes no sense."""

    def put(self, packet: Packet, gap: bool) -> Iterable[Unit]:
        """The units that are whole now; `gap`: something is missing right before the packet."""
