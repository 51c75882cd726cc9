"""Whether a session is live: told by the frames that come, or by a source that watches itself."""

from __future__ import annotations

from typing import Protocol

from tracks.events import SessionState
from tracks.sources import Source, Watched
from tracks.stats import Stats
from tracks.still import age

from .pulse import Pulse

Found = tuple[SessionState, str | None]
"""(state, reason)."""


class Liveness(Protocol):
    """What a session asks."""

    def look(self, state: SessionState, *, attended: bool) -> Found | None:
        """What the session, which is in `state`, is now; None when nothing has changed. `attended`: media is expected
        of somebody."""

    def resumed(self) -> SessionState:
        """What a session is that was paused until now."""

    def says(self) -> str | None:
        """What viewers are to read on the last picture; None while they need not see it again."""

    @property
    def picture_age_s(self) -> float | None:
        """Of the newest picture, where that is known whatever the session does with it."""

    @property
    def failed(self) -> bool:
        """Whether a session that ends now has failed."""


class FrameLiveness:
    """By frames: of a client's, a demo's or a file's."""

    failed = False
    picture_age_s = None

    def __init__(self, stats: Stats, *, batch: bool = False) -> None:
        """A `batch` goes on when it can, and is never stalled."""
        self._pulse = Pulse(stats)
        self._batch = batch

    def look(self, state: SessionState, *, attended: bool) -> Found | None:
        """See `Liveness`."""
        if self._pulse.beats():
            return ("live", None) if attended and state in ("connecting", "stalled") else None
        if state == "live" and not self._batch and (stopped := self._pulse.stopped):
            return "stalled", stopped
        return None

    def resumed(self) -> SessionState:
        """See `Liveness`."""
        return "connecting" if self._pulse.stopped else "live"

    def says(self) -> str | None:
        """Who publishes, stops by itself."""
        return None


class SourceLiveness:
    """By the source itself, which comes back when it was away."""

    def __init__(self, source: Watched) -> None:
        self._source = source

    @property
    def failed(self) -> bool:
        """See `Liveness`."""
        return self._source.failure is not None

    @property
    def picture_age_s(self) -> float | None:
        """See `Liveness`."""
        picture_age_s = self._source.picture_age_s
        return None if picture_age_s is None else round(picture_age_s, 3)

    def look(self, state: SessionState, *, attended: bool) -> Found | None:
        """See `Liveness`."""
        now = self._source.state
        return None if now in (state, "failed") or state == "paused" else (now, self._source.reason)

    def resumed(self) -> SessionState:
        """See `Liveness`."""
        return self._source.state

    def says(self) -> str | None:
        """How old the picture is, while it is not live."""
        if self._source.state == "live":
            return None
        picture_age_s = self._source.picture_age_s
        seen = "no picture yet" if picture_age_s is None else f"no picture for {age(picture_age_s)}"
        return f"{self._source.state} · {seen}"


def liveness_of(source: Source | None, stats: Stats, *, batch: bool) -> Liveness:
    """Of a session with this source, None where clients publish."""
    return SourceLiveness(source) if isinstance(source, Watched) else FrameLiveness(stats, batch=batch)
