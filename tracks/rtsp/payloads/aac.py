"""AAC over RTP (RFC 3640, modes AAC-hbr and AAC-lbr): packets of several frames, or of a piece of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..rtp import Packet
from .unit import Unit

FRAME_SAMPLES = 1024
MAX_FRAMES = 64
"""In one packet."""


class Aac:
    """Frames without a header of their own; what a header would say is in `extradata`."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """Raises ValueError for what is not as RFC 3640 has it."""
        self.extradata = bytes.fromhex(parameters.get("config", ""))
        if not 2 <= len(self.extradata) <= 64:
            raise ValueError("it does not say how its AAC is configured")
        self._size_bits = int(parameters.get("sizelength", "13"))
        self._index_bits = int(parameters.get("indexlength", "3"))
        if not 1 <= self._size_bits <= 16 or not 0 <= self._index_bits <= 8 or (self._size_bits + self._index_bits) % 8:
            raise ValueError("it has headers of sizes that are not known")
        self.damaged = 0
        self._piece = bytearray()

    def put(self, packet: Packet, gap: bool) -> Iterable[Unit]:
        """See `Depacketizer`."""
        if gap and self._piece:
            self.damaged += 1
            self._piece.clear()
        data, head = packet.payload, (self._size_bits + self._index_bits) // 8
        bits = int.from_bytes(data[:2], "big")
        count, at = bits // (8 * head), 2 + -(-bits // 8)
        if not 0 < count <= MAX_FRAMES or at >= len(data):
            self.damaged += 1
            return
        fields = [int.from_bytes(data[2 + n * head : 2 + (n + 1) * head], "big") for n in range(count)]
        sizes = [field >> self._index_bits for field in fields]
        if count == 1 and sizes[0] > len(data) - at:
            self._piece += data[at:]
            if len(self._piece) >= sizes[0]:
                yield Unit(bytes(self._piece[: sizes[0]]), packet.timestamp)
                self._piece.clear()
            return
        self._piece.clear()
        for n, size in enumerate(sizes):
            if not 0 < size <= len(data) - at:
                self.damaged += 1
                return
            yield Unit(data[at : at + size], packet.timestamp + n * FRAME_SAMPLES)
            at += size
