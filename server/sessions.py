"""The sessions of this process: made, found and ended here; everything older is in the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from tracks.batch import FilmWatcher
from tracks.bus import EventBus
from tracks.clock import SessionClock
from tracks.errors import Conflict, InvalidRequest, ModelUnavailable, NotFound, Overloaded, VedetteError
from tracks.events import Event, SessionData
from tracks.events.envelope import new_id
from tracks.pipeline import STORE_INTERVAL_S, VisionReporter
from tracks.registry import SOURCES, TRACKERS, Profile, resolve
from tracks.sources import Source
from tracks.stats import Stats
from tracks.track import TrackOptions

from . import store
from .archive import Archive
from .artifact_thumbnails import ThumbnailedEvents
from .artifacts import Artifacts
from .batches import MAX_BATCHES, STORE_EVERY_S, Batches, BatchOptions
from .cameras import Cameras
from .changes import SessionChange, Watching
from .choices import check_known
from .engines import Engines
from .hearing import Hearing
from .memory import Memory
from .metrics import Metrics
from .numbers import SessionNumbers
from .session import SERVER_STOPPED, LiveSession
from .session_parts import SessionParts
from .source_files import SourceFiles
from .state_keeper import StateKeeper

logger = logging.getLogger(__name__)

PIPELINES = ("vision", "audio")
MAX_SESSIONS = 64
NEEDS_VIEWERS = frozenset({"demo"})
"""Kinds of sources that are only there to be looked at."""


class LiveSessions:
    """Every session that runs here, by id."""

    def __init__(
        self,
        sessions: store.Sessions,
        sources: store.Sources,
        event_log: store.EventLog,
        artifacts: Artifacts,
        bus: EventBus,
        engines: Engines,
        hearing: Hearing,
        files: SourceFiles,
        cameras: Cameras,
        metrics: Metrics,
        numbers: Callable[[], SessionNumbers],
        *,
        profile: str,
        linger_s: float,
    ) -> None:
        self._sessions = sessions
        self._sources = sources
        self._event_log = event_log
        self._artifacts = artifacts
        self._bus = bus
        self._engines = engines
        self._hearing = hearing
        self._files = files
        self._batches = Batches(files, hearing, artifacts)
        self._cameras = cameras
        self._metrics = metrics
        self._numbers = numbers
        self._default_profile = profile
        self._linger_s = linger_s
        self._memory = Memory()
        self._states = StateKeeper(sessions)
        self._live: dict[str, LiveSession] = {}

    def __iter__(self) -> Iterator[LiveSession]:
        return iter(tuple(self._live.values()))

    async def create(
        self,
        source_id: str,
        pipelines: Sequence[str],
        profile_name: str | None,
        overlay: str | None,
        classes: Sequence[str] | None,
        *,
        needs_detector: bool = False,
        batch: BatchOptions | None = None,
    ) -> LiveSession:
        """Make a session and start it; with `batch` it works through the file of an upload as fast as it can.

        Raises NotFound for an unknown source, InvalidRequest for an unknown pipeline or profile or a source that the
        pipelines or `batch` are not for, Overloaded when too many run, SourceUnreachable when a server-side source
        cannot be opened, and, if it `needs_detector` to be of any use, as a batch does, ModelUnavailable when it is
        known that there is none.
        """
        check_known("pipeline", pipelines, PIPELINES)
        if not pipelines:
            raise InvalidRequest(f"pipelines is empty, have: {', '.join(PIPELINES)}")
        source = await self._sources.get(source_id)
        profile = await self._profile(profile_name or self._default_profile)
        if len(self._live) >= MAX_SESSIONS:
            raise Overloaded(f"{MAX_SESSIONS} sessions are running, end one first")
        worker = self._engines.worker(profile)
        if (needs_detector or batch is not None) and "vision" in pipelines and worker.problem:
            raise ModelUnavailable(worker.problem)
        if classes is not None and worker.ready:
            check_known("class", classes, (await worker.start()).info.labels)
        options = self._engines.options(profile, overlay, classes)
        tracker = await asyncio.to_thread(resolve, TRACKERS["bytetrack"])
        stats = Stats(on_latency=self._metrics.observe_stage)
        tracking = tracker(TrackOptions(confidence=profile.confidence))
        run = None
        if batch is not None:
            self._check_batch(source, pipelines, batch.record)
            run = self._batches.make(
                source.id, pipelines, FilmWatcher(worker, tracking, batch.of(options), stats), stats
            )
        opened = run or await self._open(source, pipelines, stats)
        mode: store.Mode = "realtime" if run is None else "batch"
        try:
            row = await self._sessions.create(source.id, pipelines, profile.name, options.overlay, classes, mode)
        except BaseException:
            if opened is not None:
                await opened.close()
            raise
        store_every_s = STORE_INTERVAL_S if run is None else STORE_EVERY_S
        events = ThumbnailedEvents(self._artifacts, row.id, row.source_id, self._emit, stats)

        async def flush() -> None:
            await events.flush()
            await self._event_log.flush()

        parts = SessionParts(
            worker=self._engines.worker(profile),  # as of now: a reload may have come in between
            tracker=tracking,
            options=options,
            emit=events.emit,
            bus=self._bus,
            history=self._history,
            flush=flush,
            reporter=partial(VisionReporter, keep=events.keep, store_every_s=store_every_s),
            keep_picture=self._artifacts.keep,
            save=self._save,
            change=self.change,
            on_ended=self._ended,
            numbers=self._numbers(),
            give_back_memory=self._memory.give_back,
            listener=self._hearing.listener if "audio" in pipelines and run is None else None,
            source=opened,
            batch=run,
            clock=SessionClock() if run is None else run.clock,
            needs_viewers=source.kind in NEEDS_VIEWERS,
            linger_s=self._linger_s,
        )
        if run is not None and batch is not None and batch.record:
            self._batches.record(run, row.id, row.source_id)
        session = LiveSession(row, parts, stats)
        self._live[row.id] = session
        session.start()
        logger.info("session %s started: %s, overlay %s", row.id, profile.name, options.overlay)
        return session

    async def change(self, session: LiveSession, change: SessionChange) -> None:
        """Change how a session runs; it is committed, and in force from the next frame on, when this returns.

        A detector that is not loaded yet is waited for, the one before going on meanwhile. Raises InvalidRequest for an
        unknown profile or class, and in a session that does not look; ModelUnavailable; Conflict when the session ends,
        and in one of mode `batch`.
        """
        if session.batch is not None:
            raise Conflict(f"session {session.row.id} works through a file as it was asked to: end it, start another")
        async with session.changing:
            if change.model_fields_set & Watching.model_fields.keys():
                await self._watch(session, change)
            if session.ending:
                raise Conflict(f"session {session.row.id} has ended")
            if change.paused is not None:
                session.pause(change.paused)

    async def renew(self) -> dict[str, str]:
        """Have every session watch with what its profile says now, from the next frame on.

        Returns, by session, why those that could not go on as before.
        """
        kept = {}
        for session in self:
            if "vision" in session.row.pipelines:
                try:
                    await self.change(session, SessionChange(profile=session.row.profile))
                except VedetteError as error:
                    if not session.ending:
                        kept[session.row.id] = error.message
        return kept

    async def _watch(self, session: LiveSession, change: SessionChange) -> None:
        row, given = session.row, change.model_fields_set
        if "vision" not in row.pipelines:
            raise InvalidRequest(f"session {row.id} does not look: its pipelines are {', '.join(row.pipelines)}")
        profile = await self._profile(change.profile or row.profile)
        overlay = change.overlay or (row.overlay if profile.name == row.profile else None)
        classes = change.classes if "classes" in given else row.classes
        worker = self._engines.worker(profile)
        labels = (await worker.start()).info.labels
        if classes is not None:
            check_known("class", classes, labels)
        options = self._engines.options(profile, overlay, classes)
        now = replace(
            row, profile=profile.name, overlay=options.overlay, classes=None if classes is None else tuple(classes)
        )
        if now != row:
            await self._sessions.set_watching(row.id, now.profile, now.overlay, now.classes)
        if not session.ending:
            session.watch(now, profile, worker, options)

    async def _profile(self, name: str) -> Profile:
        """The profile of that name. Raises InvalidRequest, naming the choices."""
        try:
            return await asyncio.to_thread(self._engines.profile, name)
        except NotFound as error:
            raise InvalidRequest(error.message) from None

    async def _open(self, source: store.Source, pipelines: Sequence[str], stats: Stats) -> Source | None:
        """The source open, if the server opens it itself; None for one that clients publish to.

        Raises SourceUnreachable; InvalidRequest when it lacks what the pipelines are for.
        """
        if source.kind not in SOURCES:
            return None
        if source.kind == "rtsp":
            return await self._cameras.open(source, stats)
        open_source: Callable[..., Awaitable[Source]] = await asyncio.to_thread(resolve, SOURCES[source.kind])
        if source.kind != "upload":
            return await open_source()
        path = self._files.path(source.id)
        self._check_pipelines(source.id, pipelines)
        # Its sound is for viewers, too.
        return await open_source(path=path, video="vision" in pipelines, audio=True, stats=stats)

    def _check_batch(self, source: store.Source, pipelines: Sequence[str], record: bool) -> None:
        """Raises InvalidRequest when the source cannot be worked through as a batch, Overloaded when too many are."""
        if source.kind != "upload":
            raise InvalidRequest(f"mode 'batch' is for uploads, a source of kind {source.kind!r} has: realtime")
        self._check_pipelines(source.id, pipelines)
        if record and "vision" not in pipelines:
            raise InvalidRequest("record is for sessions that look: pipelines must have vision")
        if sum(session.batch is not None for session in self) >= MAX_BATCHES:
            raise Overloaded(f"{MAX_BATCHES} files are worked through, which is all at once that this server does")

    def _check_pipelines(self, source_id: str, pipelines: Sequence[str]) -> None:
        """Raises InvalidRequest when a file lacks what the pipelines are for."""
        media = self._files.media(source_id)
        has = {"vision": media is not None and media.video, "audio": media is not None and media.audio}
        for pipeline in pipelines:
            if not has[pipeline]:
                able = ", ".join(name for name, there in has.items() if there)
                raise InvalidRequest(f"the file has nothing for pipeline {pipeline!r}, have: {able}")

    def find(self, session_id: str) -> LiveSession | None:
        """The session if it runs here."""
        return self._live.get(session_id)

    async def get(self, session_id: str) -> LiveSession:
        """The running session. Raises NotFound, or Conflict when it has ended."""
        session = self._live.get(session_id)
        if session is None:
            row = await self._sessions.get(session_id)
            raise Conflict(f"session {session_id} has {row.state}" + (f": {row.reason}" if row.reason else ""))
        return session

    async def archive(self, session_id: str) -> Archive:
        """The events of a session that does not run here. Raises NotFound."""
        return Archive(await self._sessions.get(session_id), self._history)

    def committed(self, event: Event) -> None:
        """A stored event was committed: now it may be seen."""
        session = self._live.get(event.session_id)
        if session is not None and event.seq is not None:
            session.last_seq = event.seq
        self._bus.publish(event)

    async def end_leftovers(self) -> None:
        """At start: tell of the sessions that a previous process left alive that they have ended."""
        for row in await self._sessions.end_leftovers():
            logger.info("session %s ended: %s", row.id, row.reason)
            told = Event(
                id=new_id(),
                kind="session",
                session_id=row.id,
                source_id=row.source_id,
                at=time.time(),
                media_time=None,
                data=SessionData(state=row.state, reason=row.reason),
            )
            self._event_log.append(told, row.epoch)

    async def close(self, reason: str = SERVER_STOPPED) -> None:
        """End every session."""
        await asyncio.gather(*(session.end(reason) for session in self))
        await self._states.close()

    def _emit(self, event: Event, *, stored: bool) -> None:
        if stored:
            self._event_log.append(event)
        else:
            self._bus.publish(event)

    async def _history(self, session_id: str, after: int, limit: int) -> Sequence[dict[str, object]]:
        events, _ = await self._event_log.page(session_id, after, limit)
        return events

    async def _save(self, session: LiveSession) -> None:
        await self._states.keep(session.row.id, session.state, session.reason, session.clock_origin)

    def _ended(self, session: LiveSession) -> None:
        self._live.pop(session.row.id, None)
        for workers in (self._engines.retired, self._hearing.recognisers.retired):
            workers.over(session.row.id)
        self._metrics.session_ended(session.stats)
        logger.info("session %s ended: %s", session.row.id, session.reason)
