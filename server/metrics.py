"""`GET /metrics`: the server's numbers for Prometheus, read from the live objects at the moment of the scrape."""

from __future__ import annotations

import sys
import time
from asyncio import all_tasks
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, get_args

import psutil
from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tracks.events import SessionState
from tracks.stats import Stats

from .api import Answer, Route, declare
from .looplag import LoopLag
from .roles import Role

BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Around what counts: a frame interval (33 ms) and the latencies promised (75, 110 and 150 ms)."""


class SessionSample(NamedTuple):
    """One live session, as the scrape sees it."""

    session_id: str
    state: SessionState
    stats: Stats


class EventLogNumbers(Protocol):
    """What is read from the event log."""

    @property
    def depth(self) -> int:
        """Events waiting for their commit."""

    @property
    def dropped(self) -> int:
        """Events lost so far."""


class Metrics:
    """Owns a registry of its own, so that two servers in one process share nothing. Use on the event loop."""

    def __init__(
        self, sessions: Callable[[], Iterable[SessionSample]], loop_lag: LoopLag, event_log: EventLogNumbers
    ) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "vedette_stage_seconds",
            "Time a stage took for one frame.",
            ["stage"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._ended = _Totals()
        self._registry.register(_Live(sessions, loop_lag, event_log, self._ended))
        if sys.platform == "linux":
            ProcessCollector(registry=self._registry)
        self._registry.register(_Process(full=sys.platform != "linux"))

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count one latency of a stage, for `Stats.on_latency`. Stages are named in the code, never by clients."""
        self._stages.labels(stage).observe(seconds)

    def session_ended(self, stats: Stats) -> None:
        """Keep an ended session's counts in the server's totals; its own series end."""
        self._ended.add(stats)

    def add(self, collector: Collector) -> None:
        """Tell of a further part of the server, too."""
        self._registry.register(collector)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All metrics in the format that the Accept header asks for, and its Content-Type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def add_metrics(app: web.Application, metrics: Metrics) -> None:
    """Add `GET /metrics`."""

    async def get_metrics(request: web.Request) -> web.Response:
        body, content_type = metrics.text(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-store"})

    formats = ("text/plain", "application/openmetrics-text")
    declare(
        app,
        Route(
            "GET",
            "/metrics",
            get_metrics,
            "Read the server's numbers, for Prometheus",
            "health",
            Role.VIEWER,
            (Answer(200, "The numbers, in the format that `Accept` asks for.", media_types=formats),),
            query=None,
        ),
    )


class ProcessNumbers:
    """CPU and memory of this process, for `metric` events. Values are measured anew once a second at most.

    Every session asks once a second; were each answer counted from the one before, many sessions would each see a few
    milliseconds of CPU time.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process()
        self._now = now
        self._read_s = now()
        self._cpu_s = self._cpu_time_s()
        self._cpu_percent = 0.0
        self._memory_bytes = int(self._process.memory_info().rss)

    @property
    def cpu_percent(self) -> float:
        """Of one core, over the last second or since the question before; 0 during the first second."""
        self._refresh()
        return self._cpu_percent

    @property
    def memory_bytes(self) -> int:
        """Resident set."""
        self._refresh()
        return self._memory_bytes

    def _refresh(self) -> None:
        elapsed_s = self._now() - self._read_s
        if elapsed_s < 1.0:
            return
        cpu_s = self._cpu_time_s()
        self._cpu_percent = round((cpu_s - self._cpu_s) / elapsed_s * 100, 1)
        self._memory_bytes = int(self._process.memory_info().rss)
        self._cpu_s = cpu_s
        self._read_s += elapsed_s

    def _cpu_time_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


class _Totals:
    """Counts over many sessions."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()

    def add(self, stats: Stats) -> None:
        self.frames.update(_frames(stats))
        self.drops.update(stats.drops)


class _Live(Collector):
    """Reads the live objects. Session ids are labels of live sessions only, so their number stays bounded."""

    def __init__(
        self,
        sessions: Callable[[], Iterable[SessionSample]],
        loop_lag: LoopLag,
        event_log: EventLogNumbers,
        ended: _Totals,
    ) -> None:
        self._sessions = sessions
        self._loop_lag = loop_lag
        self._event_log = event_log
        self._ended = ended

    def describe(self) -> Iterable[Metric]:
        """Nothing: registration must not read sessions that are not there yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All series of one scrape."""
        sessions = list(self._sessions())
        yield from _per_session(sessions)
        totals = _Totals()
        totals.frames.update(self._ended.frames)
        totals.drops.update(self._ended.drops)
        for session in sessions:
            totals.add(session.stats)
        frames = CounterMetricFamily("vedette_frames", "Frames of all sessions since the start.", labels=["flow"])
        for flow in ("in", "detected", "out"):
            frames.add_metric([flow], totals.frames[flow])
        yield frames
        drops = CounterMetricFamily("vedette_drops", "Losses of all sessions since the start.", labels=["where"])
        for where, count in sorted(totals.drops.items()):
            drops.add_metric([where], count)
        yield drops

        by_state = Counter(session.state for session in sessions)
        states = GaugeMetricFamily("vedette_sessions", "Live sessions by state.", labels=["state"])
        for state in get_args(SessionState):
            states.add_metric([state], by_state[state])
        yield states
        yield GaugeMetricFamily(
            "vedette_asyncio_tasks", "Tasks that have not ended, the one of this scrape included.", len(all_tasks())
        )
        lag = GaugeMetricFamily(
            "vedette_loop_lag_seconds", "How late the event loop ran, last minute.", labels=["quantile"]
        )
        for quantile, lag_ms in (
            ("0.5", self._loop_lag.p50_ms),
            ("0.99", self._loop_lag.p99_ms),
            ("1", self._loop_lag.max_ms),
        ):
            lag.add_metric([quantile], lag_ms / 1e3)
        yield lag
        yield GaugeMetricFamily(
            "vedette_event_log_depth", "Events waiting for their commit.", value=self._event_log.depth
        )
        yield CounterMetricFamily(
            "vedette_event_log_dropped", "Events that could not be stored.", value=self._event_log.dropped
        )


def _per_session(sessions: Iterable[SessionSample]) -> Iterator[Metric]:
    frames = CounterMetricFamily("vedette_session_frames", "Frames of a live session.", labels=["session", "flow"])
    drops = CounterMetricFamily("vedette_session_drops", "Losses of a live session.", labels=["session", "where"])
    reconnects = CounterMetricFamily(
        "vedette_session_reconnects", "Times that a live session's camera was looked for again.", labels=["session"]
    )
    queues = GaugeMetricFamily("vedette_queue_depth", "Depth of a live session's queue.", labels=["session", "queue"])
    for session in sessions:
        for flow, count in _frames(session.stats).items():
            frames.add_metric([session.session_id, flow], count)
        for where, count in sorted(session.stats.drops.items()):
            drops.add_metric([session.session_id, where], count)
        reconnects.add_metric([session.session_id], session.stats.reconnects)
        for queue, depth in sorted(session.stats.queues.items()):
            queues.add_metric([session.session_id, queue], depth())
    yield from (frames, drops, reconnects, queues)


def _frames(stats: Stats) -> dict[str, int]:
    return {"in": stats.frames_in, "detected": stats.frames_detected, "out": stats.frames_out}


class _Process(Collector):
    """Threads; and, where there is no /proc for prometheus-client's own collector, the rest under the same names."""

    def __init__(self, *, full: bool) -> None:
        self._full = full
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        """The process as it is now."""
        yield GaugeMetricFamily("process_threads", "Number of threads.", value=self._process.num_threads())
        if self._full:
            times, memory = self._process.cpu_times(), self._process.memory_info()
            yield CounterMetricFamily(
                "process_cpu_seconds", "User and system CPU time spent in seconds.", value=times.user + times.system
            )
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory size in bytes.", value=memory.rss)
            yield GaugeMetricFamily(
                "process_start_time_seconds", "Start time since the Unix epoch.", value=self._process.create_time()
            )
            if hasattr(self._process, "num_fds"):  # not on Windows
                yield GaugeMetricFamily(
                    "process_open_fds", "Number of open file descriptors.", value=self._process.num_fds()
                )
