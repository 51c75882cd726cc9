"""Jitter buffers: RTP packets in, whole encoded frames out, as early as the packets allow.

The stock buffer of aiortc releases a video frame with the first packet of the next one, at most one frame per packet,
and waits for a missing packet until its window is full. These release at the marker bit, release everything that is
ready, and give a missing packet a limited time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

MAX_DROPOUT = 3000
"""Sequence numbers that a stream may jump ahead by and still be the same stream (RFC 3550, A.1)."""
MAX_MISORDER = 512
"""How far back a packet still counts as late. RFC 3550 has 100; a retransmission at 8 Mb/s comes 160 packets later."""
VIDEO_WAIT_S = 0.2
AUDIO_WAIT_S = 0.06
KEYFRAME_INTERVAL_S = 0.3
"""Least time between two requests for a keyframe."""
MAX_CONCEALED = 10
"""Longest run of lost audio packets that is concealed, 200 ms at 20 ms a packet; a longer one is a gap in time."""
MAX_AUDIO_TICKS = 5760
"""Longest packet that Opus has: 120 ms at 48 kHz (RFC 6716, 2.1.4)."""


class EncodedFrame(NamedTuple):
    """A whole encoded frame. From `AudioJitterBuffer`, empty data stands for a lost packet that is to be concealed."""

    timestamp: int
    """RTP timestamp, 32 bits."""
    data: bytes


class _Packet(NamedTuple):
    timestamp: int
    marker: bool
    starts: bool
    data: bytes
    arrived_s: float


class _Place(NamedTuple):
    position: int
    """Sequence number without the wrap at 2^16."""
    restarted: bool
    """The sender began anew: nothing from before belongs to what follows."""


class _Sequence:
    """Sequence numbers without their wrap. A big jump is believed when two packets in a row make it (RFC 3550, A.1)."""

    def __init__(self) -> None:
        self._highest: int | None = None
        self._expected: int | None = None

    def place(self, sequence: int) -> _Place | None:
        """Where a packet belongs, or None for a stray one that may turn out to be the first after a restart."""
        if self._highest is None:
            self._highest = sequence
            return _Place(sequence, False)
        delta = ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        if -MAX_MISORDER <= delta <= MAX_DROPOUT:
            position = self._highest + delta
            self._highest = max(self._highest, position)
            return _Place(position, False)
        if sequence != self._expected:
            self._expected = (sequence + 1) & 0xFFFF
            return None
        self._expected = None
        self._highest += 0x10000 + ((sequence - self._highest) & 0xFFFF)
        return _Place(self._highest, True)


class VideoJitterBuffer:
    """Puts video frames together.

    A frame is handed out when all its packets are there: its first packet is known to be the first (the codec says so,
    or the packet before it ended a frame), and its last one has the marker bit or is followed by another timestamp. A
    missing packet is waited for `wait_s` after a later one came, looked at whenever a packet arrives; then the damaged
    frame is given up and a keyframe is asked for. Frames after it are handed out although they may refer to the lost
    one: a VP8 or H.264 decoder shows them with blemishes, and a sender that ignores the request (OBS does) would else
    freeze the picture until its next keyframe.
    """

    def __init__(
        self,
        *,
        is_keyframe: Callable[[bytes], bool] = lambda data: True,
        clock: Callable[[], float] = time.monotonic,
        wait_s: float = VIDEO_WAIT_S,
        capacity: int = 1024,
    ) -> None:
        self._is_keyframe = is_keyframe
        self._clock = clock
        self._wait_s = wait_s
        self._capacity = capacity
        self._sequence = _Sequence()
        self._packets: dict[int, _Packet] = {}
        self._stray: _Packet | None = None
        self._highest = -1
        self._next: int | None = None
        """First packet of the frame that comes next; everything before it has been handed out or given up."""
        self._synced = False
        """Whether `_next` is known to begin a frame."""
        self._scan = 0
        """First position from `_next` on that has not been looked at, so that a big frame is walked only once."""
        self._keyframe_wanted = False
        self._requested_s: float | None = None
        self._dropped_timestamp: int | None = None
        self.dropped = 0
        """Frames given up of which at least one packet had arrived."""

    def __len__(self) -> int:
        return len(self._packets)

    def add(
        self, sequence: int, timestamp: int, marker: bool, data: bytes, *, starts: bool = False
    ) -> list[EncodedFrame]:
        """Take a packet and return every frame that is now ready, in order.

        `starts`: the codec's payload format says that this packet is the first of a frame.
        """
        now_s = self._clock()
        packet = _Packet(timestamp, marker, starts, data, now_s)
        place = self._sequence.place(sequence)
        if place is None:
            self._stray = packet
            return []
        position = place.position
        if self._next is None:
            self._resume_at(position - MAX_MISORDER)
        elif place.restarted:
            self._give_up(self._packets)
            self._resume_at(position - 1)
            if self._stray is not None:
                self._packets[position - 1] = self._stray
        self._stray = None
        if self._next is not None and position >= self._next:
            self._packets.setdefault(position, packet)
            self._highest = max(self._highest, position)
        if len(self._packets) > self._capacity:
            self._give_up(self._packets)
            self._resume_at(self._highest + 1)
            self._keyframe_wanted = True
        return self._drain(now_s)

    def request_keyframe(self) -> None:
        """Ask for a keyframe until one comes, for instance because the decoder failed."""
        self._keyframe_wanted = True

    def take_keyframe_request(self) -> bool:
        """Whether to ask the sender for a keyframe now: at most every 0.3 s, until one has come."""
        if not self._keyframe_wanted:
            return False
        now_s = self._clock()
        if self._requested_s is not None and now_s - self._requested_s < KEYFRAME_INTERVAL_S:
            return False
        self._requested_s = now_s
        return True

    def _resume_at(self, position: int) -> None:
        self._next = self._scan = position
        self._synced = False

    def _drain(self, now_s: float) -> list[EncodedFrame]:
        frames: list[EncodedFrame] = []
        while self._synced or self._synchronise(now_s):
            end = self._find_end()
            if end is not None:
                frame = self._take(end)
                if frame.data:
                    if self._keyframe_wanted and self._is_keyframe(frame.data):
                        self._keyframe_wanted = False
                    frames.append(frame)
            elif not self._skip(now_s):
                break
        return frames

    def _synchronise(self, now_s: float) -> bool:
        """Move to the first packet that is known to begin a frame."""
        before: _Packet | None = None
        expected = -1
        for position in sorted(self._packets):
            packet = self._packets[position]
            follows = before is not None and position == expected
            if packet.starts or (follows and before and (before.marker or before.timestamp != packet.timestamp)):
                self._give_up([old for old in self._packets if old < position])
                self._resume_at(position)
                self._synced = True
                return True
            before, expected = packet, position + 1
        if self._packets and now_s - next(iter(self._packets.values())).arrived_s >= self._wait_s:
            self._keyframe_wanted = True
        return False

    def _find_end(self) -> int | None:
        """Position after the next frame's last packet, or None while it is incomplete."""
        assert self._next is not None
        first = self._packets.get(self._next)
        if first is None:
            return None
        while (packet := self._packets.get(self._scan)) is not None:
            if packet.timestamp != first.timestamp:
                return self._scan
            self._scan += 1
            if packet.marker:
                return self._scan
        return None

    def _take(self, end: int) -> EncodedFrame:
        assert self._next is not None
        packets = [self._packets.pop(position) for position in range(self._next, end)]
        self._next = self._scan = end
        return EncodedFrame(packets[0].timestamp, b"".join([packet.data for packet in packets]))

    def _skip(self, now_s: float) -> bool:
        """Give up the frame at a hole that is older than `wait_s`."""
        assert self._next is not None
        after = next((at for at in range(self._scan + 1, self._highest + 1) if at in self._packets), None)
        if after is None or now_s - self._packets[after].arrived_s < self._wait_s:
            return False
        self._give_up(range(self._next, after))
        self._resume_at(after)
        self._keyframe_wanted = True
        return True

    def _give_up(self, positions: Iterable[int]) -> None:
        for position in sorted(positions):
            packet = self._packets.pop(position, None)
            if packet is not None and packet.timestamp != self._dropped_timestamp:
                self._dropped_timestamp = packet.timestamp
                self.dropped += 1


class AudioJitterBuffer:
    """Puts audio packets in order. One that is not there after `wait_s` is reported lost: latency never adds up."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, wait_s: float = AUDIO_WAIT_S, capacity: int = 64
    ) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._capacity = capacity
        self._sequence = _Sequence()
        self._packets: dict[int, _Packet] = {}
        self._stray: _Packet | None = None
        self._next: int | None = None
        self._last_timestamp = 0
        self.dropped = 0
        """Packets that never came, or came too late."""

    def __len__(self) -> int:
        return len(self._packets)

    def add(self, sequence: int, timestamp: int, marker: bool, data: bytes) -> list[EncodedFrame]:
        """Take a packet and return every packet that is now ready, in order, with an empty one for each lost one."""
        now_s = self._clock()
        packet = _Packet(timestamp, marker, True, data, now_s)
        place = self._sequence.place(sequence)
        if place is None:
            self._stray = packet
            return []
        position = place.position
        if self._next is None:
            self._next = position
            self._last_timestamp = timestamp
        elif place.restarted:
            self._packets.clear()
            self._next = position
            if self._stray is not None:
                self._next = position - 1
                self._packets[position - 1] = self._stray
        self._stray = None
        if position >= self._next:
            self._packets.setdefault(position, packet)
        return self._drain(now_s)

    def _drain(self, now_s: float) -> list[EncodedFrame]:
        assert self._next is not None
        frames: list[EncodedFrame] = []
        while self._packets:
            packet = self._packets.pop(self._next, None)
            if packet is None:
                after = min(self._packets)
                waited_s = now_s - self._packets[after].arrived_s
                if waited_s < self._wait_s and len(self._packets) < self._capacity:
                    break
                frames += self._conceal(after)
                self._next = after
                continue
            self._next += 1
            self._last_timestamp = packet.timestamp
            if packet.data:
                frames.append(EncodedFrame(packet.timestamp, packet.data))
        return frames

    def _conceal(self, after: int) -> list[EncodedFrame]:
        """A frame for each packet lost before `after`, unless time has a gap there too (discontinuous transmission)."""
        assert self._next is not None
        lost = after - self._next
        self.dropped += lost
        span = (self._packets[after].timestamp - self._last_timestamp) & 0xFFFFFFFF
        step, rest = divmod(span, lost + 1)
        if lost > MAX_CONCEALED or rest or not 0 < step <= MAX_AUDIO_TICKS:
            return []
        return [EncodedFrame((self._last_timestamp + step * n) & 0xFFFFFFFF, b"") for n in range(1, lost + 1)]
