"""Memory that peers have used goes back to the system when they go."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading

M_ARENA_MAX = -8
"""glibc's `malloc.h`."""
ARENAS = 2


def use_few_arenas() -> None:
    """Let the threads of this process share two heaps. Call before there are threads; only glibc has it.

    Frames of 1.4 MB come and go in a dozen threads. With a heap for each, all end up full of holes: 200 connects cost
    30 MB, with two heaps 1 to 7 MB (with `Memory.give_back` in both).
    """
    mallopt = getattr(_libc(), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def settle() -> None:
    """Take everything that is there for good out of the garbage collector's sight. Call once, after the start.

    Libraries leave hundreds of thousands of objects; a full collection would look at each, and hold up every frame.
    """
    gc.collect()
    gc.freeze()


class Memory:
    """Gives memory back; one for the whole process."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._trim = getattr(_libc(), "malloc_trim", None)

    def give_back(self) -> None:
        """Collect garbage and return free memory to the system. Blocking, some milliseconds: run in a thread.

        A closed peer connection is a web of cycles, which only the collector frees; and glibc keeps what every thread's
        arena has freed, with decoders and encoders in threads that come and go. Without this the process grew by over
        100 MB in 200 connects, of which nothing was in use.
        """
        with self._one_at_a_time:
            gc.collect()
            if self._trim is not None:
                self._trim(0)


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None
