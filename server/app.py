"""The server put together: what is made, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
from aiohttp import web
from aiortc import RTCIceServer
from av import VideoFrame

from signaling.peer import PeerOptions
from tracks import edges
from tracks.asr import AsrInfo
from tracks.bus import EventBus
from tracks.detect import DetectorInfo
from tracks.detect.confine import confine_ultralytics
from tracks.errors import ModelUnavailable, VedetteError
from tracks.frames import letterbox
from tracks.lookout import DetectorWorker
from tracks.media.limits import Limits
from tracks.media.process import missing_limits
from tracks.registry import TRACKERS, Registry, resolve
from tracks.sources.reach import Reach
from tracks.types import Image
from tracks.vad import Vad
from tracks.vad.silero import SileroVad

from .access import Access, add_access
from .api import role_of
from .artifact_files import FileBlobs
from .artifact_metrics import ArtifactNumbers
from .artifacts import Artifacts
from .autostart import Autostart
from .cameras import Cameras
from .console import add_console
from .database import Database, open_database
from .datadir import DataDir
from .engines import Engines, Load
from .event_log import EventLog
from .frame_metrics import FrameNumbers
from .frames import Frames
from .health import Health, database_check, detector_check, disk_check, why_not
from .hearing import Hearing
from .joining import Joining
from .looplag import LoopLag
from .memory import settle
from .metrics import Metrics, ProcessNumbers, SessionSample, add_metrics
from .middleware import add_middlewares
from .models import SessionRow
from .numbers import SessionNumbers
from .openai_audio import add_openai_audio
from .origin import AccessPolicy
from .recognisers import Load as LoadAsr
from .recognisers import Recognisers, endpoint_of
from .retention import Retention
from .retention_metrics import RetentionNumbers
from .revocation import end_revoked
from .routes import access as access_routes
from .routes import artifacts as artifact_routes
from .routes import audio, docs, events, frame, peers, previews, sessions, sources, transcript
from .routes import health as health_routes
from .routes import models as model_routes
from .routes import whip as whip_routes
from .sandbox import decoder_check
from .sessions import LiveSessions
from .settings import Settings
from .shelf import Shelf
from .source_files import SourceFiles
from .store import Sessions, Sources
from .stream.starts import Starts
from .stream.streams import Streams, add_stream
from .tokens import Tokens
from .transcription import Transcriber
from .tries import Tries
from .uploads import Uploads
from .version import get_version
from .whip_sessions import WhipSessions

logger = logging.getLogger(__name__)

SELF_TEST_WAIT_S = 4.0
"""How long the self-test waits for the detector's turn."""
ARTIFACT_THREADS = 2
DAY_S = 86_400
FRAME_THREADS = 4
"""Decode and encode the pictures of `/analyze/frame` and `/ws/stream`."""
WEB_DIR = Path(__file__).resolve().parent.parent / "web" / "out"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server's parts, for whoever started it."""

    app: web.Application
    live: LiveSessions
    has_console: bool
    database: str
    """Where the data is."""
    detector: Callable[[], DetectorInfo | None]
    """The default detector, None while it is loading."""
    recogniser: Callable[[], AsrInfo | None]
    """The server's own recogniser, None while it is loading and when there is none to be had."""
    deaf: Callable[[], str]
    """Why there is none; empty while it is loading and once there is."""
    ready: asyncio.Task[None]
    """Done when the detector is loaded and the self-tests have run; raises what failed."""
    listening: asyncio.Task[None]
    """Done when the recogniser is loaded, or turned out not to be had."""


@asynccontextmanager
async def serve(
    settings: Settings, *, load: Load | None = None, load_asr: LoadAsr | None = None, vad: Vad | None = None
) -> AsyncIterator[Server]:
    """Everything but the listening socket, made and, at the end, closed in reverse order.

    `load`, `load_asr` and `vad` stand in for what makes detectors and recognisers, and tells voices. Raises Conflict
    when the data directory is in use, DatabaseUnavailable, or InvalidRequest for a broken model registry.
    """
    async with AsyncExitStack() as stack:
        data = stack.enter_context(DataDir(settings.data_dir))
        tokens = Tokens(settings.data_dir)
        await asyncio.to_thread(tokens.read)  # a damaged file is told now, not to the first client
        access = Access(tokens, Tries(), node=data.node, loopback=settings.loopback, always=settings.auth == "always")
        # A picture is scaled in less time than OpenCV takes to wake its threads, which then get in everybody's way.
        cv2.setNumThreads(1)
        await asyncio.to_thread(confine_ultralytics, settings.data_dir / "cache")
        registry = await asyncio.to_thread(Registry.load, *settings.registry_files)
        engines = Engines(
            registry,
            detector=settings.detector,
            data_dir=settings.data_dir,
            force_cpu=settings.force_cpu,
            threads=settings.detector_threads,
            max_rate_hz=settings.detector_max_rate_hz,
            load=load,
        )
        stack.push_async_callback(engines.close)
        recognisers = Recognisers(
            registry,
            choice=settings.asr,
            data_dir=settings.data_dir,
            force_cpu=settings.force_cpu,
            threads=settings.asr_threads,
            endpoint=endpoint_of(settings),
            load=load_asr,
        )
        stack.push_async_callback(recognisers.close)
        if vad is None:
            vad = await asyncio.to_thread(SileroVad)
        hearing = Hearing(recognisers, vad)
        database = await open_database(settings.database_url, settings.data_dir)
        stack.push_async_callback(database.close)
        # Threads of its own: a disk that is stuck must not hold up encoders.
        threads = ThreadPoolExecutor(ARTIFACT_THREADS, thread_name_prefix="artifacts")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        blobs = FileBlobs(settings.data_dir / "artifacts", threads)
        artifacts = Artifacts(database, blobs, threads, data.node, settings.artifacts_max_mb << 20)
        stack.push_async_callback(artifacts.close)
        await artifacts.start()
        bus = EventBus()
        rows, source_rows = Sessions(database, data.node), Sources(database)
        event_log = EventLog(database, lambda event: live.committed(event))
        stack.push_async_callback(event_log.close)
        lag = LoopLag()
        lag.start()
        stack.push_async_callback(lag.stop)
        process = ProcessNumbers()
        metrics = Metrics(lambda: _samples(live), lag, event_log)
        metrics.add(ArtifactNumbers(artifacts))
        retention = Retention(database, settings.events_max_days * DAY_S or None, settings.events_max_mb << 20 or None)
        stack.push_async_callback(retention.close)
        retention.start()
        metrics.add(RetentionNumbers(retention))
        source_files = SourceFiles(settings.data_dir / "sources", settings.uploads_max_mb << 20)
        await source_files.start(await source_rows.ids("upload"))
        uploads = Uploads(settings.data_dir / "uploads", Limits().max_bytes)
        await uploads.start()
        cameras = Cameras(Reach.of(settings.source_hosts))
        live = LiveSessions(
            rows,
            source_rows,
            event_log,
            artifacts,
            bus,
            engines,
            hearing,
            source_files,
            cameras,
            metrics,
            lambda: SessionNumbers(process, lag),
            profile=settings.profile,
            linger_s=settings.session_linger_s,
        )
        stack.push_async_callback(live.close)
        await live.end_leftovers()
        autostart = Autostart(source_rows, live)
        starting = asyncio.create_task(autostart.run(), name="autostart")
        stack.push_async_callback(_cancel, starting)
        revocation = asyncio.create_task(end_revoked(access, live), name="revocation")
        stack.push_async_callback(_cancel, revocation)

        await asyncio.to_thread(engines.profile, settings.profile)

        def worker() -> DetectorWorker:
            """The default one, which a reload may replace."""
            return engines.worker(engines.profile(settings.profile))

        def detector() -> DetectorInfo | None:
            engine = worker().engine
            return None if engine is None else engine.info

        health = Health(
            [
                detector_check(detector, lambda picture: _detect_once(worker(), picture)),
                database_check(lambda: _round_trip(database)),
                disk_check(settings.data_dir),
                hearing.check,
                decoder_check(lambda: missing_limits(Limits())),
            ]
        )
        stack.push_async_callback(health.close)

        async def get_ready() -> None:
            try:
                # The tracker's imports take seconds, too: not at the first click.
                await asyncio.to_thread(resolve, TRACKERS["bytetrack"])
                await worker().start()
            finally:
                await health.report()
                settle()

        async def get_listening() -> None:
            # After the detector, which people wait for; and whatever becomes of that, since either works without the
            # other. /health tells.
            await asyncio.wait((ready,))
            with suppress(VedetteError):
                await hearing.start()

        ready = asyncio.create_task(get_ready(), name="start-up")
        stack.push_async_callback(_cancel, ready)
        listening = asyncio.create_task(get_listening(), name="start-listening")
        stack.push_async_callback(_cancel, listening)

        app = web.Application(client_max_size=1 << 20)
        add_middlewares(
            app,
            AccessPolicy(settings.host, frozenset(settings.allowed_hosts), frozenset(settings.allowed_origins)),
        )
        add_access(app, access, role_of)
        access_routes.add_routes(app, access)
        sources.add_routes(app, source_rows, live, uploads, source_files, cameras, autostart)
        previews.add_routes(app, source_rows, live, cameras)
        sessions.add_routes(app, rows, source_rows, live, artifacts, settings.ice_servers)
        joining = Joining(
            live,
            PeerOptions(
                ice_servers=_ice_servers(settings),
                hosts=settings.ice_host or _media_hosts(settings),
                pending_timeout_s=settings.pending_peer_timeout_s,
            ),
        )
        peers.add_routes(app, live, joining)
        events.add_routes(app, rows, event_log)
        artifact_routes.add_routes(app, rows, live, artifacts)
        transcript.add_routes(app, rows, event_log)
        transcriber = Transcriber(recognisers, hearing.vad, uploads, Limits())
        audio.add_routes(app, transcriber)
        frame_threads = ThreadPoolExecutor(FRAME_THREADS, thread_name_prefix="frames")
        stack.callback(frame_threads.shutdown, wait=False, cancel_futures=True)
        frames = Frames(engines, frame_threads, settings.profile)
        frame.add_routes(app, frames)
        metrics.add(FrameNumbers(frames))
        add_openai_audio(app, transcriber)
        model_routes.add_routes(app, Shelf(registry, settings, engines, recognisers, live))
        health_routes.add_routes(app, health, get_version(), detector)
        add_metrics(app, metrics)
        starts = Starts(live, source_rows, frame_threads)
        add_stream(app, Streams(starts, access))
        whip_routes.add_routes(app, live, joining, WhipSessions(live, starts), access, settings.ice_servers)
        docs.add_routes(app, get_version(), access.cookie)
        has_console = await asyncio.to_thread(add_console, app, settings.web_dir or WEB_DIR)
        yield Server(
            app,
            live,
            has_console,
            database.where,
            detector,
            lambda: hearing.info,
            lambda: hearing.problem,
            ready,
            listening,
        )


def _media_hosts(settings: Settings) -> Sequence[str] | None:
    """Bound to loopback, no media port is open to the network either, where the system lets a browser reach it there.

    Browsers send from their LAN address. Linux routes that to 127.0.0.1 (measured with Chromium); other systems refuse
    to send from one to the other, so there the addresses of the machine are offered.
    """
    return edges.LOOPBACK_ONLY if settings.loopback and sys.platform == "linux" else None


def _samples(live: LiveSessions) -> Iterator[SessionSample]:
    for session in live:
        yield SessionSample(session.row.id, session.state, session.stats)


def _ice_servers(settings: Settings) -> list[RTCIceServer]:
    return [
        RTCIceServer(urls=list(server.urls), username=server.username, credential=server.credential)
        for server in settings.ice_servers
    ]


async def _detect_once(worker: DetectorWorker, picture: Image) -> None:
    detector = worker.engine
    if detector is None:
        worker.retry()
        raise ModelUnavailable(why_not(worker) or "the detector is still loading")
    frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    image, _ = await asyncio.to_thread(letterbox, frame, detector.input_size(frame.width, frame.height))
    await worker.infer(image, timeout_s=SELF_TEST_WAIT_S)


async def _round_trip(database: Database) -> None:
    """Take the write lock and read through the other connection."""
    await database.write(lambda client: SessionRow.filter(id="").using_db(client).update(reason=None))
    await database.read(lambda client: SessionRow.filter(id="").using_db(client).count())


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, VedetteError):
        await task
