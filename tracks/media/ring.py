"""The server's end of the memory in which decoded pictures come from a decoder's process; `slots.py` has the other.

Made and owned here, and without a name, so nothing can be left behind: it is gone with the last process that has it.
A picture is copied once, by the decoder; here frames are views of the memory, and a slot is free again when the last of
them is gone. Whoever keeps frames cannot starve the decoder: when half of the slots are out, copies are handed out.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import mmap
import os
import tempfile
import weakref
from collections import deque

import numpy as np
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE
from av import VideoFrame

from ..planes import copy
from .limits import MIB, Limits
from .slots import MAX_SLOTS, picture_bytes, slot_bytes

BUDGET_BYTES = 64 * MIB
"""Of pictures in the memory at once, unless `LEAST_SLOTS` take more."""
LEAST_SLOTS = 6


class Ring:
    """Slots that circulate between one decoder and whoever shows its pictures. Call on the event loop."""

    def __init__(self, limits: Limits, most_slots: int = MAX_SLOTS) -> None:
        """`most_slots` circulate at once: few where late pictures are not wanted anyway."""
        self._most_slots = most_slots
        self._max_pixels = limits.max_pixels
        self._slot_bytes = slot_bytes(limits.max_pixels)
        self.bytes = MAX_SLOTS * self._slot_bytes
        """Of address space; memory is what pictures were written to."""
        self.memory = _nameless(self.bytes)
        """Descriptor of the memory, for the decoder."""
        self._map = mmap.mmap(self.memory, self.bytes)
        self.free, self._tell = os.pipe()
        self._loop = asyncio.get_running_loop()
        self._spare = deque(range(MAX_SLOTS))
        """In nobody's hands."""
        self._empty: set[int] = set()
        """With the decoder, to be filled."""
        self._full: set[int] = set()
        """Filled, and not handed out yet."""
        self._out: set[int] = set()
        """Handed out: frames are views of them."""
        self._returned: deque[int] = deque()
        """Frames of these are gone; filled on any thread."""
        self._wanted = 0
        self._has_room = asyncio.Event()
        self._closed = False

    def fit(self, width: int, height: int) -> None:
        """Let as many slots circulate as suits pictures of this size."""
        fitting = BUDGET_BYTES // max(1, picture_bytes(width, height))
        self._wanted = max(LEAST_SLOTS, min(self._most_slots, fitting))
        self._supply()

    async def room(self) -> None:
        """Wait until the decoder has room for a picture."""
        await self._has_room.wait()

    def filled(self, slot: int, width: int, height: int) -> None:
        """The decoder says that there is a picture in a slot. Raises ValueError when that cannot be."""
        if slot not in self._empty or width % 2 or height % 2 or not 0 < width * height <= self._max_pixels:
            raise ValueError(f"slot {slot} cannot have a picture of {width}x{height}")
        self._empty.discard(slot)
        self._full.add(slot)
        self.fit(width, height)

    def take(self, slot: int, width: int, height: int, at_s: float) -> VideoFrame:
        """The picture in a slot that is filled, as a yuv420p frame, its pts in 1/90000 s: for reading."""
        self._full.discard(slot)
        length = picture_bytes(width, height)
        samples = np.frombuffer(self._map, np.uint8, length, slot * self._slot_bytes).reshape(-1, width)
        frame = VideoFrame.from_numpy_buffer(samples, format="yuv420p")
        frame.pts, frame.time_base = round(at_s * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        if len(self._out) >= self._wanted // 2:
            frame = copy(frame)
            self._give_back(slot)
            return frame
        self._out.add(slot)
        weakref.finalize(samples, self._gone, slot).atexit = False
        return frame

    def drop(self, slot: int) -> None:
        """Nobody wants the picture in a slot that is filled."""
        self._full.discard(slot)
        self._give_back(slot)

    def close(self) -> None:
        """Let go of the memory, which frames that somebody has keep alive; no more are taken. Safe to call twice."""
        if not self._closed:
            self._closed = True
            for descriptor in (self.memory, self.free, self._tell):
                os.close(descriptor)
            with contextlib.suppress(BufferError):
                self._map.close()
            del self._map

    def _gone(self, slot: int) -> None:
        """Nobody has a frame of this slot any more. Called on whichever thread had the last."""
        self._returned.append(slot)
        with contextlib.suppress(RuntimeError):  # the loop is gone, and the decoder with it
            self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        while self._returned:
            slot = self._returned.popleft()
            self._out.discard(slot)
            self._give_back(slot)

    def _give_back(self, slot: int) -> None:
        self._spare.append(slot)
        self._supply()

    def _supply(self) -> None:
        """Hand free slots to the decoder, as long as fewer circulate than are wanted."""
        missing = self._wanted - len(self._empty) - len(self._full) - len(self._out)
        slots = [self._spare.popleft() for _ in range(min(missing, len(self._spare)))]
        if slots and not self._closed:
            self._empty.update(slots)
            with contextlib.suppress(BrokenPipeError):  # it has ended
                os.write(self._tell, bytes(slots))
        if self._empty:
            self._has_room.set()
        else:
            self._has_room.clear()


def _nameless(size: int) -> int:
    """The descriptor of memory without a name, whose size nobody can change any more.

    Without that seal, a decoder that a file has taken over could cut the memory off under the server's hands. Elsewhere
    than on Linux it is a file that was removed as soon as it was made, which has no seals.
    """
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return memory
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), size)
        return os.dup(file.fileno())
