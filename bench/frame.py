"""The phase `frame`: single pictures by `POST /analyze/frame`, between two stretches of the bare detector."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from . import proc
from .detector import DetectorOptions, bare_detector
from .frame_client import FrameClientOptions
from .processes import Failed, finish, free_port, process, server, word
from .scrape import LAG, Scrape

CLIENTS = 4
BARE_S = 20.0
"""How long the bare detector is counted, before and after."""


@dataclass(frozen=True, slots=True)
class FrameLoad:
    """What one run of the phase measured."""

    clients: int
    bare_fps: tuple[float, float]
    """Of the bare detector, before and after."""
    answered_fps: float
    refused: int
    p50_ms: float
    p95_ms: float
    """From before the request to behind its answer."""
    objects: int
    timings_ms: dict[str, float]
    """Means of what the server says of itself."""
    server_cores: float
    outside_cores: float
    """The server's CPU without its detector's threads."""
    client_cores: float
    other_cores: float
    loop_lag_p99_ms: float

    @property
    def bare_mean_fps(self) -> float:
        """A machine is slower at one moment than at another."""
        return fmean(self.bare_fps)


async def frame_load(
    detector: DetectorOptions, out: Path, seconds: float, settings: Mapping[str, str], clients: int = CLIENTS
) -> FrameLoad:
    """Run the phase with a server of these settings, but for its port. Raises Failed when it cannot be measured."""
    before_fps = await _bare(detector, out, seconds)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    result = out / "frame-client.json"
    result.unlink(missing_ok=True)
    wanted = json.dumps(asdict(FrameClientOptions(url, str(out), str(result), clients, seconds)))
    server_log, client_log = out / "frame-server.log", out / "frame-client.log"
    env = {**settings, "VEDETTE_PORT": str(port)}
    async with (
        server(("server",), url, "/health/ready", server_log, env) as running,
        process(("bench.frame_client", wanted), client_log) as client,
    ):
        await word(client, "measuring", client_log)
        began_s, machine_s = time.monotonic(), proc.machine_busy_s()
        server_before, client_before = proc.cpu(running.pid), proc.cpu(client.pid)
        await word(client, "measured", client_log)
        elapsed_s, busy_s = time.monotonic() - began_s, proc.machine_busy_s() - machine_s
        used, client_s = proc.cpu(running.pid) - server_before, (proc.cpu(client.pid) - client_before).total_s
        lag_s = (await Scrape.of(url)).value(LAG, quantile="0.99") or 0.0
        await finish(client, client_log)
    after_fps = await _bare(detector, out, seconds)
    seen = json.loads(result.read_text())
    if not seen["latencies_s"]:
        raise Failed(f"no picture was answered, {seen['refused']} were refused, see {server_log}")
    p50_s, p95_s = np.percentile(seen["latencies_s"], (50, 95)).tolist()
    return FrameLoad(
        clients=clients,
        bare_fps=(before_fps, after_fps),
        answered_fps=len(seen["latencies_s"]) / seen["seconds"],
        refused=seen["refused"],
        p50_ms=p50_s * 1e3,
        p95_ms=p95_s * 1e3,
        objects=seen["objects"],
        timings_ms=seen["timings_ms"],
        server_cores=used.total_s / elapsed_s,
        outside_cores=(used.total_s - used.detector_s) / elapsed_s,
        client_cores=client_s / elapsed_s,
        other_cores=max(0.0, (busy_s - used.total_s - client_s) / elapsed_s),
        loop_lag_p99_ms=lag_s * 1e3,
    )


async def _bare(options: DetectorOptions, out: Path, seconds: float) -> float:
    async with bare_detector(options, out) as detector:
        await detector.begin()
        await asyncio.sleep(min(BARE_S, seconds))
        return await detector.end()
