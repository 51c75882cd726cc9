"""JPEG over RTP (RFC 2435): its headers are not sent, and put together again here."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ..rtp import Packet
from .unit import MAX_UNIT_BYTES, Unit

# RFC 2435, appendix A: the tables of ITU-T T.81, annex K, in zigzag order; they are scaled by the quality.
_LUMA = bytes.fromhex(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71"
    "797064785c656763"
)
_CHROMA = bytes.fromhex("1112121815182f1a1a2f634238426363" + "63" * 48)

# ITU-T T.81, tables K.3 to K.6.
_DC_LUMA = bytes.fromhex("00010501010101010100000000000000" + "000102030405060708090a0b")
_DC_CHROMA = bytes.fromhex("00030101010101010101010000000000" + "000102030405060708090a0b")
_AC_LUMA = bytes.fromhex(
    "0002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a343536"
    "3738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999a"
    "a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7"
    "f8f9fa"
)
_AC_CHROMA = bytes.fromhex(
    "00020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35"
    "363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798"
    "999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7"
    "f8f9fa"
)
_HUFFMAN = b"".join(
    struct.pack(">BBHB", 0xFF, 0xC4, len(table) + 3, which) + table
    for which, table in ((0x00, _DC_LUMA), (0x10, _AC_LUMA), (0x01, _DC_CHROMA), (0x11, _AC_CHROMA))
)


class Jpeg:
    """Pictures of up to 2040 pixels a side, which is what the format has room for."""

    extradata = b""

    def __init__(self) -> None:
        self.damaged = 0
        self._picture = bytearray()
        self._timestamp: int | None = None
        self._whole = False
        self._sent = 0
        """Bytes of the scan that have come."""
        self._tables: dict[int, bytes] = {}
        """Those that a camera sent, by their quality number."""

    def put(self, packet: Packet, gap: bool) -> Iterable[Unit]:
        """See `Depacketizer`."""
        try:
            self._add(packet, gap)
        except (ValueError, IndexError, struct.error):
            self._whole = False
        if not packet.marker:
            return
        if self._whole:
            yield Unit(bytes(self._picture) + b"\xff\xd9", packet.timestamp)
        else:
            self.damaged += 1
        self._whole = False

    def _add(self, packet: Packet, gap: bool) -> None:
        data = packet.payload
        offset, kind, quality, width, height = int.from_bytes(data[1:4], "big"), data[4], data[5], data[6], data[7]
        at, restart = 8, 0
        if kind & 0x40:
            restart, at = int.from_bytes(data[8:10], "big"), 12
        if offset == 0:
            tables = _scaled(quality)
            if quality >= 128:
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                sent = data[at + 4 : at + 4 + length]
                at += 4 + length
                if len(sent) < length or data[at - length - 3]:
                    raise ValueError("tables that are cut off, or of 16 bits")
                tables = sent or self._tables.get(quality, b"")
                if quality != 255:
                    self._tables[quality] = tables
            if not width or not height or len(tables) not in (64, 128) or kind & 0x3F > 1:
                raise ValueError("a picture of no size, without tables, or of a type that is not known")
            self._picture = bytearray(_head(kind & 1, tables, width * 8, height * 8, restart))
            self._timestamp, self._whole, self._sent = packet.timestamp, True, 0
        elif gap or packet.timestamp != self._timestamp or offset != self._sent:
            self._whole = False
        self._picture += data[at:]
        self._sent = offset + len(data) - at
        if len(self._picture) > MAX_UNIT_BYTES:
            raise ValueError("too large")


def _scaled(quality: int) -> bytes:
    """The tables of a quality from 1 to 99 (RFC 2435, section 4.2)."""
    quality = min(max(quality, 1), 99)
    factor = 5000 // quality if quality < 50 else 200 - quality * 2
    return bytes(min(max((each * factor + 50) // 100, 1), 255) for each in _LUMA + _CHROMA)


def _head(kind: int, tables: bytes, width: int, height: int, restart: int) -> bytes:
    """Everything before the scan; `kind` 0 is 4:2:2, 1 is 4:2:0."""
    parts = [b"\xff\xd8"]
    luma, chroma = tables[:64], tables[-64:]
    parts += [b"\xff\xdb\x00\x43" + bytes([number]) + table for number, table in enumerate((luma, chroma))]
    if restart:
        parts.append(struct.pack(">HHH", 0xFFDD, 4, restart))
    sampling = bytes([1, 0x22 if kind else 0x21, 0, 2, 0x11, 1, 3, 0x11, 1])
    parts.append(struct.pack(">HHBHHB", 0xFFC0, 17, 8, height, width, 3) + sampling)
    parts.append(_HUFFMAN)
    parts.append(bytes.fromhex("ffda000c03010002110311003f00"))
    return b"".join(parts)
