"""The phases that stream: one server, one client, and what was measured on both while frames went round."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import proc
from .detector import BareDetector
from .latency import Latency, summarise
from .processes import finish, process, server, word
from .scrape import DROPS, FRAMES, LAG, Scrape

LAG_EVERY_S = 50.0
"""The server's gauge covers a minute: read a little more often than that, the worst reading counts."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """One streaming phase."""

    name: str
    args: Sequence[str]
    """The server's module and arguments."""
    url: str
    ready: str
    """Path that answers 200 when the server is up."""
    seconds: float
    out: Path
    overlay: str | None = None
    profile: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """What one streaming phase measured."""

    name: str
    latency: Latency
    sent_fps: float
    not_returned: int
    """Frames that were sent and never came back."""
    unreadable: int
    skipped: int
    """Frames that the client itself lost."""
    sent_kbps: float
    returned_kbps: float
    first_frame_s: float
    server_cores: float
    outside_cores: float
    """The server's CPU without its detector's threads."""
    client_cores: float
    other_cores: float
    """What everything else on the machine used meanwhile."""
    loop_lag_p99_ms: float
    detections_per_s: float
    """By this server's own count, or by that of the bare detector that ran beside the echo."""
    drops: dict[str, float]
    """What the server itself says it lost, by where."""
    points: list[tuple[float, float]]
    """(seconds, latency in ms) of every returned frame, for the chart."""
    numbers: frozenset[int]
    """Of the frames that came back in the measured time."""


@dataclass(frozen=True, slots=True)
class _Usage:
    """The machine, the processes of the phase and the server's counters at one moment."""

    at_s: float
    server: proc.Cpu
    client: proc.Cpu
    beside_s: float
    machine_s: float
    scrape: Scrape

    @classmethod
    async def now(cls, url: str, server: int, client: int, beside: BareDetector | None) -> _Usage:
        """`server` and `client` are process ids."""
        return cls(
            time.monotonic(),
            proc.cpu(server),
            proc.cpu(client),
            0.0 if beside is None else proc.cpu(beside.pid).total_s,
            proc.machine_busy_s(),
            await Scrape.of(url),
        )


async def stream(options: StreamOptions, beside: BareDetector | None = None) -> Stream:
    """Run the phase; a bare detector that is already running may be counted over the same time.

    Raises Failed or ValueError when frames do not come back.
    """
    result = options.out / f"{options.name}-client.json"
    result.unlink(missing_ok=True)
    wanted = {
        "url": options.url,
        "cache": str(options.out),
        "result": str(result),
        "seconds": options.seconds,
        "overlay": options.overlay,
        "profile": options.profile,
    }
    server_log, client_log = (options.out / f"{options.name}-{role}.log" for role in ("server", "client"))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            server(options.args, options.url, options.ready, server_log, options.env)
        )
        client = await stack.enter_async_context(process(("bench.client", json.dumps(wanted)), client_log))
        await word(client, "live", client_log)
        await word(client, "measuring", client_log)
        before = await _Usage.now(options.url, running.pid, client.pid, beside)
        if beside is not None:
            await beside.begin()
        lag = asyncio.create_task(_worst_lag_s(options.url, options.seconds))
        await word(client, "measured", client_log)
        rate = await beside.end() if beside is not None else None
        after = await _Usage.now(options.url, running.pid, client.pid, beside)
        lag_s = max(await lag, after.scrape.value(LAG, quantile="0.99") or 0.0)
        await finish(client, client_log)
    return _summary(options.name, json.loads(result.read_text()), before, after, lag_s, rate)


async def _worst_lag_s(url: str, seconds: float) -> float:
    """The worst p99 of the loop's lag while the phase runs: the gauge covers a minute."""
    worst = 0.0
    for _ in range(int(seconds // LAG_EVERY_S)):
        await asyncio.sleep(LAG_EVERY_S)
        worst = max(worst, (await Scrape.of(url)).value(LAG, quantile="0.99") or 0.0)
    return worst


def _summary(
    name: str, seen: dict[str, Any], before: _Usage, after: _Usage, lag_s: float, rate: float | None
) -> Stream:
    elapsed_s = after.at_s - before.at_s
    used, client_s = after.server - before.server, (after.client - before.client).total_s
    frames = [(int(number), float(sent_s), float(received_s)) for number, sent_s, received_s in seen["frames"]]
    latency = summarise(frames, seen["began_s"], seen["ended_s"])
    ours_s = used.total_s + client_s + after.beside_s - before.beside_s
    detected = _grown(before.scrape, after.scrape, FRAMES, "flow").get("detected", 0.0) / elapsed_s
    return Stream(
        name=name,
        latency=latency,
        sent_fps=seen["sent"] / (seen["ended_s"] - seen["began_s"]),
        not_returned=max(0, seen["sent"] - len({number for number, _, _ in frames}) - seen["unreadable"]),
        unreadable=seen["unreadable"],
        skipped=seen["skipped"],
        sent_kbps=seen["sent_bps"] / 1e3,
        returned_kbps=seen["returned_bps"] / 1e3,
        first_frame_s=seen["first_frame_s"],
        server_cores=used.total_s / elapsed_s,
        outside_cores=(used.total_s - used.detector_s) / elapsed_s,
        client_cores=client_s / elapsed_s,
        other_cores=max(0.0, (after.machine_s - before.machine_s - ours_s) / elapsed_s),
        loop_lag_p99_ms=lag_s * 1e3,
        detections_per_s=detected if rate is None else rate,
        drops=_grown(before.scrape, after.scrape, DROPS, "where"),
        points=[(received_s - seen["began_s"], (received_s - sent_s) * 1e3) for _, sent_s, received_s in frames],
        numbers=frozenset(number for number, _, _ in frames),
    )


def _grown(before: Scrape, after: Scrape, name: str, label: str) -> dict[str, float]:
    """By how much the counters of one name grew; those that did not are left out."""
    start = before.by(name, label)
    grown = {key: value - start.get(key, 0.0) for key, value in after.by(name, label).items()}
    return {key: value for key, value in grown.items() if value > 0}
