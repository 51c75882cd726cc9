"""H.264 (RFC 6184) and H.265 (RFC 7798) over RTP: NAL units put together to pictures, as a byte stream."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from ..rtp import Packet
from .unit import MAX_UNIT_BYTES, Unit

START = b"\0\0\0\1"


class Format(Protocol):
    """How one of the two lays out its NAL units."""

    sets: tuple[str, ...]
    """Parameters of the format that carry parameter sets, in base64."""

    def split(self, payload: bytes) -> tuple[list[bytes], bytes, bool, bool]:
        """(whole NAL units, piece of one, whether it is the first piece, whether it is the last). Raises ValueError."""

    def is_key(self, unit: bytes) -> bool:
        """Whether decoding can begin with the picture that this NAL unit is of."""


class H264:
    """Packetization modes 0 and 1."""

    sets: tuple[str, ...] = ("sprop-parameter-sets",)

    def split(self, payload: bytes) -> tuple[list[bytes], bytes, bool, bool]:
        """See `Format`."""
        kind = payload[0] & 0x1F
        if kind == 24:  # STAP-A
            return list(_aggregated(payload[1:])), b"", False, False
        if kind == 28:  # FU-A
            if len(payload) < 3:
                raise ValueError("a fragment without content")
            first, last = bool(payload[1] & 0x80), bool(payload[1] & 0x40)
            head = bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) if first else b""
            return [], head + payload[2:], first, last
        if not 1 <= kind <= 23:
            raise ValueError(f"packet type {kind}")
        return [payload], b"", False, False

    def is_key(self, unit: bytes) -> bool:
        """An IDR picture, or a parameter set, which encoders that refresh bit by bit send instead."""
        return unit[0] & 0x1F in (5, 7)


class H265:
    """Without decoding order numbers, which no camera uses."""

    sets: tuple[str, ...] = ("sprop-vps", "sprop-sps", "sprop-pps")

    def split(self, payload: bytes) -> tuple[list[bytes], bytes, bool, bool]:
        """See `Format`."""
        if len(payload) < 3:
            raise ValueError("a packet without content")
        kind = payload[0] >> 1 & 0x3F
        if kind == 48:  # aggregation
            return list(_aggregated(payload[2:])), b"", False, False
        if kind == 49:  # fragment
            first, last = bool(payload[2] & 0x80), bool(payload[2] & 0x40)
            head = bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]) if first else b""
            return [], head + payload[3:], first, last
        if kind > 47:
            raise ValueError(f"packet type {kind}")
        return [payload], b"", False, False

    def is_key(self, unit: bytes) -> bool:
        """A picture of random access, or a parameter set before it."""
        return 16 <= unit[0] >> 1 & 0x3F <= 21 or unit[0] >> 1 & 0x3F in (32, 33)


class Pictures:
    """A picture is whole with the marker, or when a packet of another time comes."""

    def __init__(self, form: Format, parameters: Mapping[str, str]) -> None:
        self._form = form
        self.extradata = b"".join(START + each for each in _parameter_sets(form, parameters))
        self.damaged = 0
        self._units = bytearray()
        self._piece: bytearray | None = None
        self._timestamp: int | None = None
        self._key = False
        self._broken = False

    def put(self, packet: Packet, gap: bool) -> Iterable[Unit]:
        """See `Depacketizer`."""
        if self._timestamp is not None and packet.timestamp != self._timestamp:
            # The end of the picture before may be among what is missing, or its sender sets no markers.
            self._broken |= gap and self._piece is not None
            yield from self._finish()
        elif gap and (self._units or self._piece is not None):
            self._broken = True
        self._timestamp = packet.timestamp
        try:
            self._add(packet.payload)
        except (ValueError, IndexError):
            self._broken = True
        if packet.marker:
            yield from self._finish()

    def _add(self, payload: bytes) -> None:
        whole, piece, first, last = self._form.split(payload)
        for unit in whole:
            self._append(unit)
        if not piece:
            return
        if first:
            self._piece = bytearray(piece)
        elif self._piece is None:
            self._broken = True
        else:
            self._piece += piece
        if last and self._piece is not None:
            self._append(bytes(self._piece))
            self._piece = None
        if len(self._units) + len(self._piece or b"") > MAX_UNIT_BYTES:
            self._broken = True
            self._units.clear()
            self._piece = None

    def _append(self, unit: bytes) -> None:
        self._key |= self._form.is_key(unit)
        self._units += START + unit

    def _finish(self) -> Iterator[Unit]:
        broken = self._broken or self._piece is not None
        data, key, timestamp = bytes(self._units), self._key, self._timestamp
        self._units.clear()
        self._piece, self._timestamp, self._key, self._broken = None, None, False, False
        if broken:
            self.damaged += 1
        elif data and timestamp is not None:
            yield Unit(data, timestamp, key)


def _aggregated(payload: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 < len(payload):
        length = int.from_bytes(payload[at : at + 2], "big")
        if not 0 < length <= len(payload) - at - 2:
            raise ValueError("an aggregate that lies about its length")
        yield payload[at + 2 : at + 2 + length]
        at += 2 + length


def _parameter_sets(form: Format, parameters: Mapping[str, str]) -> Iterator[bytes]:
    for name in form.sets:
        for each in parameters.get(name, "").split(","):
            try:
                found = base64.b64decode(each.strip() + "=" * (-len(each.strip()) % 4), validate=True)
            except binascii.Error:
                continue
            if found:
                yield found
