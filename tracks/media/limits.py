"""How much a file may be, and how much decoding it may cost."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on a file, and on the process that decodes it."""

    max_bytes: int = 512 * MIB
    """Size of the file."""
    max_duration_s: float = 600.0
    """Media time, both as the file states it and as it is decoded."""
    max_pixels: int = 3840 * 2160
    """Width times height of a video stream: 8.3 megapixels."""
    memory_bytes: int = 512 * MIB
    """Address space of the child, of which it takes 130 MiB before it opens anything."""
    cpu_s: int = 60
    """Processor time of the child; ten minutes of AAC take 1 s."""
    start_s: float = 15.0
    """Until the child is ready: 0.1 s of processor time, so a longer wait is the machine's fault, not the file's."""
    open_s: float = 4.0
    """Until the child has told what is in the file. Past that the file is refused."""
    wait_s: float = 120.0
    """Time spent waiting for decoded media in all. The time that its reader takes does not count."""
    stall_s: float = 10.0
    """Until the next picture or sound of a film, while there is room for it."""
    niceness: int = 5
    """Of the child: media that is live comes first."""


FILM = Limits(cpu_s=1800)
"""To play a film: to decode ten minutes of 3840x2160 takes four to ten minutes of one core."""

LIVE = Limits(cpu_s=10**9, open_s=25.0, niceness=0)
"""To watch a camera, for as long as it is there. It is waited for in its own dialogue, which has shorter limits."""
