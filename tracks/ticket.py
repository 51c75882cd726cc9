"""What comes with a picture whose sender waits to hear what became of it; it travels as `VideoFrame.opaque`."""

from __future__ import annotations

import threading
from collections.abc import Callable

from av import VideoFrame


class Ticket:
    """What the sender calls its picture, and how it learns what became of it.

    Either it is claimed for the detector, or its sender withdraws it: both may be tried at once, on different threads.
    """

    def __init__(self, ts: float, id: str | None, settle: Callable[[bool], None]) -> None:
        self.ts = ts
        """Seconds on the sender's own clock."""
        self.id = id
        self.settle = settle
        """To be called on the event loop: with True when the picture was detected, with False when it was lost."""
        self._gone = False
        self._deciding = threading.Lock()

    def claim(self) -> bool:
        """True if the picture is wanted: it is detected now, and cannot be withdrawn any more. Any thread."""
        return self._decide()

    def withdraw(self) -> bool:
        """True if nothing was begun yet: the picture is not looked at. Any thread."""
        return self._decide()

    def _decide(self) -> bool:
        """True for whoever comes first."""
        with self._deciding:
            first, self._gone = not self._gone, True
        return first


def ticket_of(frame: VideoFrame) -> Ticket | None:
    """The ticket that the frame came with."""
    return frame.opaque if isinstance(frame.opaque, Ticket) else None
