"""One running session: a publisher's video watched, its viewers served, its life told in events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from aiortc import MediaStreamTrack, RTCRtpReceiver

from signaling.peer import Peer
from tracks.batch import Outlet
from tracks.bus import Subscription
from tracks.clock import SourceClock, StampClock
from tracks.errors import Conflict, DatabaseUnavailable, UnsupportedMedia, VedetteError
from tracks.events import ErrorData, Event, LiveCopy, MetricData, Model, SessionData, SessionState
from tracks.lookout import DetectorWorker
from tracks.registry import Profile
from tracks.relay import Relay
from tracks.sources import Source, Watched
from tracks.speech import SpeechTrack
from tracks.stats import Stats
from tracks.still import StillTrack
from tracks.vision import MediaClock, Observation, Shown, VisionOptions, VisionTrack

from . import commands, store
from .artifacts import Artifact, Caption
from .attendance import Attendance, Client
from .changes import SessionChange, in_force
from .liveness import liveness_of
from .publisher import PeerPublisher, Publisher
from .session_parts import SessionParts, event_of

logger = logging.getLogger(__name__)

SERVER_STOPPED = "server stopped"
"""The reason of sessions that end with the server."""
TICK_S = 1.0
STORE_METRIC_TICKS = 60
LAST_EVENTS_S = 1.0


class LiveSession:
    """The live object behind `/sessions/{id}`; the same whatever the transport of its clients."""

    def __init__(self, row: store.Session, parts: SessionParts, stats: Stats) -> None:
        self.row = row
        """What was asked for, as it stands in the database."""
        self.state: SessionState = "connecting"
        self.reason: str | None = None
        self.last_seq = 0
        self.stats = stats
        self.clients = Attendance()
        self.changing = asyncio.Lock()
        """Held while it is found out whether a change can be made."""
        self.batch = parts.batch
        self._parts = parts
        self._clock = parts.clock
        self.stamps = StampClock(self._clock)
        """Of clients that stamp what they send by a clock of their own."""
        self.liveness = liveness_of(parts.source, stats, batch=parts.batch is not None)
        self._numbers: MetricData | None = None
        self._playing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._reporter = parts.reporter(self._emit, self._source_rtp_time)
        self._vision = VisionTrack(
            parts.worker,
            parts.tracker,
            parts.options,
            stats,
            observe=self._observed,
            on_error=self._failed,
            on_source_ended=lambda: self._track_ended("video"),
        )
        self._relay = Relay(StillTrack(self._vision, self._vision.untouched, self.liveness.says), stats)
        self._listener = None if parts.listener is None else parts.listener(self._emit, self._failed, stats)
        self._speech = None
        if self._listener is not None:
            self._speech = SpeechTrack(self._listener, stats, on_source_ended=lambda: self._track_ended("audio"))
        sound = self._speech or (None if parts.source is None else parts.source.audio)
        self._sound = None if sound is None else Relay(sound, stats)

    def start(self) -> None:
        """Begin: tell of the state and keep an eye on it."""
        self._relay.start()
        self._emit("session", SessionData(state=self.state), 0.0, stored=True)
        if self.batch is not None:
            report, flush = self._reporter, self._parts.flush
            self.batch.start(Outlet(self._observed, report.end, self._emit, self._failed, flush, self._track_ended))
        elif self._parts.source is not None:
            self._play(self._parts.source)
        if self._listener is not None:
            self._listener.start()
        if self._sound is not None:
            self._sound.start()
        self._watcher = asyncio.create_task(self._watch(), name="session-watch")

    def _play(self, source: Source) -> None:
        """Watch and listen to what the server has itself; both tracks count from one moment."""
        if isinstance(source, Watched):
            source.watch(self._look_at_frames)
        clock = SourceClock(self._clock)
        for played, track in ((source.video, self._vision if self._sees else None), (source.audio, self._speech)):
            if played is not None and track is not None:
                self._playing.add(played.kind)
                track.attach(played, clock)
        self._expect_sound("the source", has_sound=source.audio is not None)

    @property
    def _sees(self) -> bool:
        return "vision" in self.row.pipelines and self.batch is None

    # What peers ask of their session: signaling.peer.PeerHost.

    def subscribe(self, *, stored: bool, capacity: int, on_drop: Callable[[Event], None] | None = None) -> Subscription:
        """The session's events from now on."""
        return self._parts.bus.subscribe(self.row.id, stored=stored, capacity=capacity, on_drop=on_drop)

    def describe(self) -> dict[str, Any]:
        """What a peer that attaches is told."""
        return {"sessionId": self.row.id, "state": self.state, "seq": self.last_seq, "clockOrigin": self.clock_origin}

    @property
    def clock_origin(self) -> float | None:
        """Unix seconds of media time zero; None before the first picture."""
        return self._clock.wall_origin

    async def history(self, after: int, limit: int) -> Sequence[dict[str, Any]]:
        """Stored events with a seq above `after`."""
        return await self._parts.history(self.row.id, after, limit)

    def latest_numbers(self) -> dict[str, Any]:
        """The numbers of the last second, as in `metric` events; empty during the first."""
        return {} if self._numbers is None else self._numbers.wire()

    def annotated(self, *, raw: bool = False) -> MediaStreamTrack | None:
        """A new track with the annotated picture, or with nothing drawn on it; None in a session without `vision`."""
        return (self._vision.raw if raw else self._relay).subscribe() if self._sees else None

    def sound(self) -> MediaStreamTrack | None:
        """A new track with the source's sound, None when it has none."""
        return None if self._sound is None else self._sound.subscribe()

    @property
    def takes(self) -> Collection[str]:
        """What clients may bring: what the session's pipelines are for, unless the server plays something itself."""
        if self._parts.source is not None:
            return ()
        return [kind for kind, wanted in (("video", self._sees), ("audio", self._speech is not None)) if wanted]

    def admit(self, owner: str) -> None:
        """Raise Conflict when somebody else publishes here already; the same one may take over from itself."""
        self.clients.admit(owner)

    def published(self, peer: Peer, receivers: Sequence[RTCRtpReceiver]) -> None:
        """A peer sends video, audio or both: it takes over from the one before."""
        publisher = PeerPublisher(peer, self._clock, self._failed)
        self.clients.take_over(publisher, peer.owner)
        for receiver in receivers:
            self._attach(receiver.track, publisher.clock_of(receiver))
        self._expect_sound("the publisher", has_sound=any(each.track.kind == "audio" for each in receivers))

    def publish(self, publisher: Publisher, owner: str, tracks: Sequence[MediaStreamTrack], clock: MediaClock) -> None:
        """A client sends video, audio or both as messages: it takes over from the publisher before. See `admit`."""
        self.clients.take_over(publisher, owner)
        for track in tracks:
            self._attach(track, clock)

    def _attach(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        track = self._vision if source.kind == "video" else self._speech
        if track is not None:
            track.attach(source, clock)

    def _expect_sound(self, whose: str, *, has_sound: bool) -> None:
        """A session that is to listen says that there is nothing to listen to, and goes on with the picture."""
        if self._speech is not None and not has_sound:
            self._failed(UnsupportedMedia(f"{whose} has no sound: nothing that is said here will be written down"))

    def left(self, peer: Peer) -> None:
        """A peer is gone."""
        self._spawn(asyncio.to_thread(self._parts.give_back_memory))
        if self.clients.peer_left(peer):
            self._publisher_left(peer.reason)

    def parted(self, client: Client, publisher: Publisher | None, reason: str) -> None:
        """A client over `/ws/stream` is gone; `publisher`: what it published as, if it did."""
        if self.clients.socket_left(client, publisher):
            self._publisher_left(reason)

    def _publisher_left(self, reason: str) -> None:
        """Without its publisher a session is stalled, and ends after a while."""
        if self.state in ("connecting", "live"):
            self._change("stalled", f"publisher left: {reason}")

    async def newer(self, than: Shown | None) -> Shown:
        """The newest annotated picture, once it is another one. Raises MediaStreamError at the end."""
        return await self._vision.newer(than)

    @property
    def ending(self) -> bool:
        """True from the moment that the end has begun."""
        return self._ending is not None

    def end_soon(self, reason: str) -> asyncio.Task[None]:
        """Begin to end the session for everyone; the first reason counts. Safe to call again."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(reason), name="session-end")
        return self._ending

    async def end(self, reason: str) -> None:
        """End the session and wait until its peers are closed and its last events are on their way."""
        await asyncio.shield(self.end_soon(reason))

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """Do what a client commands. Raises what `commands.run` raises."""
        return await commands.run(self, name, args)

    async def change(self, change: SessionChange) -> dict[str, Any]:
        """Change how the session runs, from the next frame on; returns what is in force then."""
        await self._parts.change(self, change)
        return in_force(self.row)

    def watch(self, row: store.Session, profile: Profile, worker: DetectorWorker, options: VisionOptions) -> None:
        """Watch with this profile, worker (which is ready) and options from the next frame on; `row` says the same."""
        before, now = in_force(self.row), in_force(row)
        changed = {name: value for name, value in now.items() if value != before[name]}
        self.row = row
        self._vision.options = options
        self._vision.detect_with(worker, profile.confidence)
        if changed:
            self._emit("session", SessionData(state=self.state, change=changed), self._clock.now(), stored=True)

    def pause(self, paused: bool) -> None:
        """Look at nothing, listen to nothing and store nothing while media goes on; or go on."""
        if paused == (self.state == "paused"):
            return
        self._vision.paused = paused
        if self._speech is not None:
            self._speech.pause(paused)
        self._change("paused" if paused else self.liveness.resumed(), None)

    async def snapshot(self, *, annotated: bool) -> Artifact:
        """Store the newest picture. Raises Conflict before the first one, and what storing it raises."""
        shown = self._vision.newest(annotated=annotated)
        if shown is None:
            raise Conflict(f"session {self.row.id} has no picture yet")
        caption = Caption(self.row.id, self.row.source_id, "snapshot", round(shown.media_s, 3))
        return await self._parts.keep_picture(caption, shown.frame)

    async def _end(self, reason: str) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self.batch is not None:
            await self.batch.close()
        await self._vision.close()
        if self._speech is not None and self._listener is not None:
            await self._speech.close()
            await self._listener.close()
        self._reporter.end(self._clock.now())
        self._change("failed" if self.liveness.failed else "ended", reason)
        # So that the last events reach the peers before their channels close; a database that is away has its chance.
        with contextlib.suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(LAST_EVENTS_S):
                await self._parts.flush()
        await asyncio.gather(*(client.close(reason) for client in self.clients.everyone))
        await self._relay.close()
        if self._sound is not None:
            await self._sound.close()
        if self._parts.source is not None:
            await self._parts.source.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_EVENTS_S)
            for task in late:
                task.cancel()
        self._parts.on_ended(self)

    def _observed(self, seen: Observation) -> None:
        self._look_at_frames()
        self._reporter.observe(seen)

    async def _watch(self) -> None:
        """Once a second: is there a picture, is there a publisher, what are the numbers."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            self._look_at_frames()
            self._numbers = self._parts.numbers(self.stats)
            ticks += 1
            keep = ticks % STORE_METRIC_TICKS == 0 and self.state != "paused"
            self._emit("metric", self._numbers, self._clock.now(), stored=keep, at_once=True)
            if self._missing is not None and time.monotonic() - self.clients.left_s > self._parts.linger_s:
                self.end_soon(f"no {self._missing} for {self._parts.linger_s:g} s")
                return

    @property
    def _missing(self) -> str | None:
        """Who must come for the session to go on."""
        if self._parts.source is None:
            return "publisher" if self.clients.publisher is None else None
        return "viewer" if self._parts.needs_viewers and self.clients.was_watched and not len(self.clients) else None

    def _look_at_frames(self) -> None:
        attended = (self.clients.publisher or self._parts.source) is not None
        if (found := self.liveness.look(self.state, attended=attended)) is not None:
            self._change(*found)

    def _change(self, state: SessionState, reason: str | None) -> None:
        if state == self.state:
            return
        self.state, self.reason = state, reason
        data = SessionData(state=state) if reason is None else SessionData(state=state, reason=reason)
        self._emit("session", data, self._clock.now(), stored=True)
        self._spawn(self._parts.save(self))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else; the session ends after it."""
        task = asyncio.create_task(work, name="session-work")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _track_ended(self, kind: str) -> None:
        """When all that the server plays is over, so is the session; a publisher may come back."""
        source = self._parts.source
        self._playing.discard(kind)
        if source is not None and (source.failure is not None or not self._playing):
            if source.failure is not None and self._ending is None and self.batch is None:
                self._failed(source.failure)
            self.end_soon("source ended" if source.failure is None else f"source failed: {source.failure.message}")

    def _failed(self, error: VedetteError) -> None:
        logger.warning("session %s: %s: %s", self.row.id, error.code, error.message)
        self._emit("error", ErrorData(code=error.code, message=error.message), self._clock.now(), stored=True)

    def _source_rtp_time(self, source_ticks: int) -> int | None:
        publisher = self.clients.publisher
        return None if publisher is None else publisher.source_rtp_time(source_ticks)

    def _emit(self, kind: str, data: Model, media_s: float, *, stored: bool, at_once: bool = False) -> None:
        event = event_of(self.row, kind, data, media_s)
        if stored and at_once:
            self._parts.emit(LiveCopy.of(event), stored=False)
        self._parts.emit(event, stored=stored)
