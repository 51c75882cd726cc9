"""Memory that a session has used goes back to the system when its peers go."""

from __future__ import annotations

import ctypes
import sys
import threading


def give_back() -> None:
    """Return free memory to the operating system. Blocking, a few milliseconds: run in a thread.

    glibc keeps what every thread's arena has freed, and decoders and encoders run in threads that come and go: without
    this the process grew by over 100 MB in 200 connects, of which nothing was in use. Elsewhere it does nothing.
    """
    if sys.platform == "linux" and hasattr(_libc, "malloc_trim"):
        with _one_at_a_time:
            _libc.malloc_trim(0)


_libc = ctypes.CDLL(None)
_one_at_a_time = threading.Lock()
