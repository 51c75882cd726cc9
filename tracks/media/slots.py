"""Decoded pictures in memory that the server and its decoder share: the decoder's end; `ring.py` is the server's.

The memory is a row of slots that hold one picture each. The server says which are free, one byte for each, on a pipe;
the decoder fills them, says so in a message, and waits when there is none. No slot has two writers, and the decoder
never reads what it wrote: whatever it does to the memory, it can spoil pictures and nothing else.
"""

from __future__ import annotations

import mmap
import os
import select
from collections import deque

from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

MAX_SLOTS = 24
"""0.8 s of 30 pictures a second: picture and sound of a file may lie that far apart."""
PAGE_BYTES = 4096


def picture_bytes(width: int, height: int) -> int:
    """Of a yuv420p picture without padding; both sides are even."""
    return width * height * 3 // 2


def slot_bytes(max_pixels: int) -> int:
    """Of one slot: whole pages, the largest picture fits. Pages that nothing was written to take no memory."""
    return -(-max_pixels * 3 // 2 // PAGE_BYTES) * PAGE_BYTES


class Slots:
    """The decoder's end. Made before the process is sealed: mapping memory takes a descriptor."""

    def __init__(self, memory: int, free: int, max_pixels: int) -> None:
        """`memory` and `free` are descriptors: of the memory, and of the pipe that tells which slots are free."""
        self._size = slot_bytes(max_pixels)
        self._memory = memoryview(mmap.mmap(memory, MAX_SLOTS * self._size))
        self._told = free
        self._free: deque[int] = deque()

    def ready(self, wait_s: float = 0.0) -> bool:
        """Whether a slot is free, or will be in time: for pictures that are not worth waiting for.

        Raises BrokenPipeError when nobody wants pictures any more.
        """
        if not self._free and select.select([self._told], [], [], wait_s)[0]:
            self._supplied()
        return bool(self._free)

    def put(self, frame: VideoFrame) -> tuple[int, int, int]:
        """Copy a yuv420p frame into a free slot; (slot, width, height). An odd last column or row is left out.

        Waits while no slot is free. Raises BrokenPipeError when nobody wants pictures any more.
        """
        if not self._free:
            self._supplied()
        slot, width, height = self._free.popleft(), frame.width & ~1, frame.height & ~1
        at = slot * self._size
        for plane, scale in zip(frame.planes, (1, 2, 2), strict=True):
            at = self._copy(plane, at, width // scale, height // scale)
        return slot, width, height

    def _supplied(self) -> None:
        told = os.read(self._told, MAX_SLOTS)
        if not told:
            raise BrokenPipeError
        self._free.extend(told)

    def _copy(self, plane: VideoPlane, at: int, width: int, height: int) -> int:
        """One plane without the padding of its lines, to `at`; returns where it ends."""
        source, line = memoryview(plane).cast("B"), plane.line_size
        end = at + width * height
        if line == width:
            self._memory[at:end] = source[: end - at]
            return end
        for row in range(height):
            self._memory[at : at + width] = source[row * line : row * line + width]
            at += width
        return end
