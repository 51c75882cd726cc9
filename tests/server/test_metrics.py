"""What Prometheus is told, what `metric` events are told, and how the loop's lag is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from server.looplag import LoopLag
from server.metrics import Metrics, ProcessNumbers, SessionSample, add_metrics
from tracks.stats import Stats

Client = TestClient[web.Request, web.Application]


@dataclass
class EventLogStub:
    """Only the two numbers that are read."""

    depth: int = 0
    dropped: int = 0


class Server:
    """Metrics over sessions that a test puts in a list."""

    def __init__(self) -> None:
        self.sessions: list[SessionSample] = []
        self.event_log = EventLogStub()
        self.lag = LoopLag()
        self.metrics = Metrics(lambda: self.sessions, self.lag, self.event_log)

    def add(self, session_id: str, frames_in: int = 0, frames_detected: int = 0, frames_out: int = 0) -> Stats:
        stats = Stats(frames_in, frames_detected, frames_out)
        self.sessions.append(SessionSample(session_id, "live", stats))
        return stats

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        text, _ = self.metrics.text()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse_text(text.decode())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    app = web.Application()
    add_metrics(app, server.metrics)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_scrape_reads_live_sessions(server: Server, client: Client) -> None:
    """Frames, drops, queue depths and states are those of the moment of the scrape."""
    stats = server.add("s1", frames_in=10, frames_detected=4, frames_out=9)
    stats.drops.update({"slot": 6})
    depth = 2
    stats.queues["relay"] = lambda: depth
    assert server.value("vedette_session_frames_total", session="s1", flow="in") == 10
    assert server.value("vedette_session_frames_total", session="s1", flow="detected") == 4
    assert server.value("vedette_session_frames_total", session="s1", flow="out") == 9
    assert server.value("vedette_session_drops_total", session="s1", where="slot") == 6
    assert server.value("vedette_queue_depth", session="s1", queue="relay") == 2
    assert server.value("vedette_sessions", state="live") == 1
    assert server.value("vedette_sessions", state="stalled") == 0
    depth, stats.frames_in = 3, 11
    assert server.value("vedette_queue_depth", session="s1", queue="relay") == 3
    response = await client.get("/metrics")
    assert response.status == 200
    assert 'vedette_session_frames_total{flow="in",session="s1"} 11.0' in await response.text()


async def test_the_format_is_the_one_asked_for(client: Client) -> None:
    """Prometheus' text by default, OpenMetrics for who accepts it; both are well-formed."""
    plain = await client.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert list(parse_text(await plain.text()))
    modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text")
    assert list(parse_openmetrics(await modern.text()))


async def test_an_ended_session_leaves_its_counts_and_takes_its_series(server: Server) -> None:
    """Labels stay as few as live sessions, and no loss disappears from the totals."""
    first = server.add("s1", frames_in=10)
    first.drops["slot"] = 3
    server.add("s2", frames_in=5)
    assert server.value("vedette_frames_total", flow="in") == 15
    server.sessions.pop(0)
    server.metrics.session_ended(first)
    assert server.value("vedette_session_frames_total", session="s1", flow="in") is None
    assert server.value("vedette_session_drops_total", session="s1", where="slot") is None
    assert server.value("vedette_frames_total", flow="in") == 15
    assert server.value("vedette_drops_total", where="slot") == 3


async def test_latencies_of_stages_are_a_histogram(server: Server) -> None:
    """What a session's Stats are told of lands in the buckets of its stage."""
    stats = server.add("s1")
    stats.on_latency = server.metrics.observe_stage
    for seconds in (0.0005, 0.03, 0.03, 9.0):
        stats.observe("infer", seconds)
    assert server.value("vedette_stage_seconds_count", stage="infer") == 4
    assert server.value("vedette_stage_seconds_sum", stage="infer") == pytest.approx(9.0605)
    assert server.value("vedette_stage_seconds_bucket", stage="infer", le="0.001") == 1
    assert server.value("vedette_stage_seconds_bucket", stage="infer", le="0.035") == 3
    assert server.value("vedette_stage_seconds_bucket", stage="infer", le="5.0") == 3


async def test_the_event_log_and_the_process_are_told(server: Server) -> None:
    """Depth and losses of the event log; CPU, memory, threads and descriptors of the process."""
    server.event_log.depth, server.event_log.dropped = 7, 2
    assert server.value("vedette_event_log_depth") == 7
    assert server.value("vedette_event_log_dropped_total") == 2
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_threads", "process_open_fds"):
        assert (server.value(name) or 0) > 0, name


async def test_two_servers_in_one_process_share_nothing() -> None:
    """Each has its own registry."""
    first, second = Server(), Server()
    first.metrics.observe_stage("infer", 0.01)
    assert second.value("vedette_stage_seconds_count", stage="infer") is None


async def test_a_blocked_loop_shows_in_the_lag(server: Server) -> None:
    """A stall counts for every tick that it delayed, in the gauge too; an idle loop is not late."""
    lag = server.lag = LoopLag(interval_s=0.01, window=50)
    assert lag.p99_ms == lag.max_ms == 0
    server.metrics = Metrics(lambda: (), lag, server.event_log)
    lag.start()
    await asyncio.sleep(0)
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until:  # what a detector awaited on the loop would do
        pass
    await asyncio.sleep(0.02)
    await lag.stop()
    assert len(lag) >= 18
    assert lag.max_ms > 150
    assert lag.p50_ms <= lag.p99_ms <= lag.max_ms
    assert lag.p99_ms > 100
    assert server.value("vedette_loop_lag_seconds", quantile="0.99") == pytest.approx(lag.p99_ms / 1e3)


async def test_the_lag_window_is_bounded_and_the_task_ends() -> None:
    """Only the newest ticks are kept; starting and stopping twice is harmless."""
    lag = LoopLag(interval_s=0.001, window=10)
    lag.start()
    lag.start()
    await asyncio.sleep(0.05)
    assert len(lag) == 10
    await lag.stop()
    await lag.stop()


def test_cpu_is_counted_from_second_to_second() -> None:
    """However often and by however many it is asked, the share is over a second, of one core."""
    now_s = 100.0
    numbers = ProcessNumbers(now=lambda: now_s)
    assert numbers.memory_bytes > 1 << 20
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert numbers.cpu_percent == 0
    now_s += 1.0
    used = numbers.cpu_percent
    assert 8 <= used <= 30
    now_s += 0.1
    assert numbers.cpu_percent == used
