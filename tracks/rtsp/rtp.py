"""RTP and RTCP packets (RFC 3550), put in order, and their times on one clock."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 2
SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, BYE = 200, 201, 202, 203
NTP_EPOCH_S = 2_208_988_800
REORDER_PACKETS = 64
"""So many later packets may overtake one before it is given up: 50 ms of 12 Mbit/s."""

MAX_DROPOUT, MAX_MISORDER = 3000, 1000
"""Numbers further ahead, or back, are those of a sender that began anew (RFC 3550, appendix A.1 has 3000 and 100)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """None for what is no RTP packet."""
    if len(data) < 12 or data[0] >> 6 != VERSION:
        return None
    at = 12 + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:  # an extension header
        if len(data) < at + 4:
            return None
        at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    end = len(data)
    if data[0] & 0x20:
        end -= data[-1]
    if at > end:
        return None
    sequence, timestamp = struct.unpack_from(">HI", data, 2)
    return Packet(data[1] & 0x7F, bool(data[1] & 0x80), sequence, timestamp, data[at:end])


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report: RTP time `timestamp` was at `ntp_s` of the sender's wall clock."""

    ntp_s: float
    timestamp: int


def reports(data: bytes) -> Iterator[Report]:
    """The sender reports in a compound RTCP packet."""
    while len(data) >= 4 and data[0] >> 6 == VERSION:
        end = 4 + 4 * int.from_bytes(data[2:4], "big")
        if data[1] == SENDER_REPORT and end >= 28 and len(data) >= 28:
            seconds, fraction, timestamp = struct.unpack_from(">III", data, 8)
            if seconds:
                yield Report(seconds - NTP_EPOCH_S + fraction / 2**32, timestamp)
        data = data[end:]


def receiver_report(ssrc: int) -> bytes:
    """That we are here: an empty report, and a name (RFC 3550, section 6.1). Servers end sessions without."""
    name = b"vedette"
    chunk = struct.pack(">I", ssrc) + bytes([1, len(name)]) + name
    chunk += bytes(4 - len(chunk) % 4)
    return struct.pack(">BBHI", VERSION << 6, RECEIVER_REPORT, 1, ssrc) + (
        struct.pack(">BBH", VERSION << 6 | 1, SOURCE_DESCRIPTION, len(chunk) // 4) + chunk
    )


class Order:
    """Packets of one stream in the order in which they were sent. Says where some are missing."""

    def __init__(self, most: int = REORDER_PACKETS) -> None:
        """`most` packets wait for one that is missing; none over TCP, where none is late."""
        self._most = most
        self._next: int | None = None
        self._early: dict[int, Packet] = {}
        self.lost = 0
        """Packets that never came, or too late."""

    def put(self, packet: Packet) -> Iterator[tuple[Packet, bool]]:
        """(packet, whether any is missing right before it)."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next) & 0xFFFF
        if MAX_DROPOUT <= ahead < 0x10000 - MAX_MISORDER:
            self._early.clear()
            self._next = (packet.sequence + 1) & 0xFFFF
            yield packet, True
            return
        if ahead >= 0x8000:  # it was given up, or is there twice
            return
        self._early[packet.sequence] = packet
        gap = False
        while self._early:
            found = self._early.pop(self._next, None)
            if found is not None:
                self._next = (self._next + 1) & 0xFFFF
                yield found, gap
                gap = False
            elif len(self._early) > self._most:
                start = self._next
                self._next = min(self._early, key=lambda each: (each - start) & 0xFFFF)
                self.lost += (self._next - start) & 0xFFFF
                gap = True
            else:
                return


class LiveTime:
    """When what a stream carries was seen or heard, in seconds on this machine's monotonic clock.

    A packet's time is that of its arrival less what it was late, which the stream's own timestamps tell: the one that
    was least late so far sets the place of all. Once both streams of a camera have reported, its wall clock joins them.
    """

    EARLY_S = 0.02
    """So much earlier than expected nothing comes, unless what was expected was late itself."""
    JUMP_S = 3.0
    """Timestamps that lead further than this away from when they came are of another clock, or of a broken one."""

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._last: int | None = None
        self._seconds = 0.0
        self._offset_s = 0.0
        self.ntp_offset_s: float | None = None
        """Monotonic time less the sender's wall clock, once a report has come."""

    def ticks(self, timestamp: int) -> int:
        """The timestamp without its wraps, for `place`; those of one stream in turn."""
        if self._last is None:
            self._last = timestamp
        else:
            self._last += (timestamp - self._last + 2**31) % 2**32 - 2**31
        return self._last

    def start(self, ticks: int, now_s: float) -> None:
        """Let these ticks be now."""
        self._offset_s = now_s - ticks / self._rate

    def place(self, ticks: int) -> float:
        """When it was."""
        return self._offset_s + ticks / self._rate

    def late_s(self, ticks: int, now_s: float) -> float:
        """By how much what has just come is late; what is early moves everything."""
        late_s = now_s - self.place(ticks)
        if late_s < -self.EARLY_S:
            if late_s < -self.JUMP_S:
                self.ntp_offset_s = None
            self._offset_s += late_s
            return 0.0
        return late_s

    def report(self, report: Report, other: LiveTime | None) -> None:
        """The sender has told its wall clock; `other` is the stream to be joined with. Only the first one counts."""
        if self._last is None or self.ntp_offset_s is not None:
            return
        ticks = self._last + (report.timestamp - self._last + 2**31) % 2**32 - 2**31
        if other is not None and other.ntp_offset_s is not None:
            at_s = report.ntp_s + other.ntp_offset_s
            if abs(at_s - self.place(ticks)) < self.JUMP_S:
                self._offset_s += at_s - self.place(ticks)
        self.ntp_offset_s = self.place(ticks) - report.ntp_s
