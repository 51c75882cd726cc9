"""How long a camera is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds."""

    reply_s: float = 4.0
    """Until a request is answered, to the last byte."""
    silence_s: float = 7.0
    """A camera that sends nothing for so long is given up."""
    first_s: float = 10.0
    """From the beginning to the first picture, which has to wait for a keyframe."""
    nothing_s: float = 8.0
    """Packets come and no picture can be made of them: so long it is tried."""
