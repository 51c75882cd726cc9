"""What a client has to be told that it lost: every loss is counted, and told once a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Lost = Literal["frame", "audio", "event"]

INTERVAL_S = 1.0


@dataclass(slots=True)
class _Count:
    count: int = 0
    stamps: list[float] = field(default_factory=list)


class Losses:
    """Gathers losses and says `dropped`, one message for each kind of thing. Call on the event loop.

    The first is told at once, so that whoever waits for an answer need not wait a second; those that follow wait
    until `interval_s` has passed.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None], interval_s: float = INTERVAL_S) -> None:
        self._say = say
        self._interval_s = interval_s
        self._counts: dict[Lost, _Count] = {}
        self._timer: asyncio.Handle | None = None
        self._not_before_s = 0.0
        self._closed = False

    def add(self, what: Lost, ts: float | None = None) -> None:
        """Count one. `ts` is what the client calls it, if it does."""
        if self._closed:
            return
        counted = self._counts.setdefault(what, _Count())
        counted.count += 1
        if ts is not None:
            counted.stamps.append(ts)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._not_before_s), self.tell)

    def tell(self) -> None:
        """Say now what has not been said."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        if counts:
            self._not_before_s = asyncio.get_running_loop().time() + self._interval_s
        for what, counted in counts.items():
            message: dict[str, Any] = {"type": "dropped", "what": what, "count": counted.count}
            if counted.stamps:
                message["ts"] = counted.stamps
            self._say(message)

    def close(self) -> None:
        """Say what is left, and nothing more after that."""
        self.tell()
        self._closed = True
