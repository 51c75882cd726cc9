"""What the child takes away from itself before it touches a file. Runs in the child only.

Some of it is missing on some systems: macOS does not limit address space and has neither prctl nor Landlock. What could
not be had is returned by name, so that it can be told; what remains still holds there: processor time, no new
descriptors, the format lists, and the server's own clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

from .limits import Limits

NOTHING_MORE = 3
"""Descriptors of a sealed child: the file, the pipe, and stderr. What it was given besides stays open, but no other
number is given out."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
# landlock(7), kernel's include/uapi/linux/landlock.h; these numbers are the same on every architecture but Alpha.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_VERSION = 1
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Every right on files that an ABI knows, by the ABI that brought it."""


def limit(limits: Limits, parent: int, shared_bytes: int = 0) -> list[str]:
    """Before libraries are loaded: lower priority, bounded resources, gone with the parent. Returns what is missing.

    `shared_bytes` of address space are granted besides, for memory that the parent shares.
    """
    missing = []
    with contextlib.suppress(OSError):
        os.nice(limits.niceness)
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel is to take the decoder and not the server.
        Path("/proc/self/oom_score_adj").write_text("800")
    if not _bound(limits, shared_bytes):
        missing.append("memory")
    if not _alone(parent):
        missing.append("privileges")
    return missing


def seal() -> list[str]:
    """After libraries are loaded: from here on nothing can be opened, by name or address. Returns what is missing."""
    missing = [] if _no_files() else ["files"]
    if not _set("RLIMIT_NOFILE", NOTHING_MORE, NOTHING_MORE):
        missing.append("descriptors")
    return missing


def _bound(limits: Limits, shared_bytes: int) -> bool:
    _set("RLIMIT_CPU", limits.cpu_s, limits.cpu_s + 2)
    _set("RLIMIT_FSIZE", 0, 0)
    _set("RLIMIT_CORE", 0, 0)
    space = limits.memory_bytes + shared_bytes
    return _set("RLIMIT_AS", space, space)


def _set(name: str, soft: int, hard: int) -> bool:
    try:
        import resource
    except ImportError:  # not a Unix
        return False
    which = getattr(resource, name, None)
    if which is None:
        return False
    top = resource.getrlimit(which)[1]
    if top != resource.RLIM_INFINITY:
        soft, hard = min(soft, top), min(hard, top)
    try:
        resource.setrlimit(which, (soft, hard))
    except (ValueError, OSError):  # macOS refuses RLIMIT_AS below what is mapped already, which is more than there is
        return False
    return True


def _alone(parent: int) -> bool:
    """No privileges by exec, and an end when the server ends. Linux only."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, *map(ctypes.c_ulong, (signal.SIGKILL, 0, 0, 0)))
    if os.getppid() != parent:  # it ended before we asked to be told
        os._exit(0)
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0)


def _no_files() -> bool:
    """Forbid every use of the file system, of TCP ports and of other processes, with an empty Landlock ruleset."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if abi < 1:  # the kernel is older than 5.13, or built or started without it
        return False
    files = max(rights for since, rights in _FILE_RIGHTS.items() if since <= abi)
    rules = (ctypes.c_uint64 * 3)(files, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        return bool(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
