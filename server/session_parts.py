"""What a session is made of."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from av import VideoFrame

from tracks.batch import Batch
from tracks.bus import Emit, EventBus
from tracks.clock import SessionClock
from tracks.errors import VedetteError
from tracks.events import Event, MetricData, Model
from tracks.events.envelope import new_id
from tracks.listener import Listener
from tracks.lookout import DetectorWorker
from tracks.pipeline import EmitData, VisionReporter
from tracks.sources import Source
from tracks.stats import Stats
from tracks.track import Tracker
from tracks.vision import VisionOptions

from . import store
from .artifacts import Artifact, Caption
from .changes import SessionChange

if TYPE_CHECKING:
    from .session import LiveSession

MakeReporter = Callable[[EmitData, Callable[[int], int | None]], VisionReporter]
"""Given where events go, and what tells the publisher's own RTP time of a source's pts."""
MakeListener = Callable[[EmitData, Callable[[VedetteError], None], Stats], Listener]


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session runs on; made by whoever composes the server."""

    worker: DetectorWorker
    tracker: Tracker
    options: VisionOptions
    emit: Emit
    bus: EventBus
    history: Callable[[str, int, int], Awaitable[Sequence[dict[str, Any]]]]
    """Stored events of a session: (session id, after, limit) -> envelopes, oldest first."""
    flush: Callable[[], Awaitable[None]]
    """Done when every stored event so far is committed."""
    reporter: MakeReporter
    """Makes what tells of detected pictures; its events must go by `emit`."""
    keep_picture: Callable[[Caption, VideoFrame], Awaitable[Artifact]]
    """Store a picture."""
    save: Callable[[LiveSession], Coroutine[Any, Any, None]]
    """Keep the session's state in the database."""
    change: Callable[[LiveSession, SessionChange], Awaitable[None]]
    """Change how the session runs."""
    on_ended: Callable[[LiveSession], None]
    numbers: Callable[[Stats], MetricData]
    """The session's numbers since the last call."""
    give_back_memory: Callable[[], None]
    """Called in a thread when a peer has gone."""
    listener: MakeListener | None = None
    """Makes what listens to the session's sound; None when nobody does."""
    source: Source | None = None
    """What the server itself plays; None when a client publishes. Closed with the session."""
    batch: Batch | None = None
    """The same in mode `batch`, where it is worked through and not played."""
    clock: SessionClock = field(default_factory=SessionClock)
    needs_viewers: bool = False
    """The source is only there to be looked at: once its last viewer has gone, the session ends after `linger_s`."""
    linger_s: float = 60.0


def event_of(row: store.Session, kind: str, data: Model, media_s: float) -> Event:
    """An event of this session that happens now; `media_s` is seconds on the session clock."""
    return Event(
        id=new_id(),
        kind=kind,
        session_id=row.id,
        source_id=row.source_id,
        at=time.time(),
        media_time=round(media_s, 3),
        data=data,
    )
