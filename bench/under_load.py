"""A server under the load of one client process, and what that costs whom."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import proc
from .processes import finish, free_port, process, server, word
from .scrape import LAG, Scrape


@dataclass(frozen=True, slots=True)
class Costs:
    """Cores that were used in the measured time."""

    server_cores: float
    outside_cores: float
    """The server's CPU without its detector's threads."""
    client_cores: float
    other_cores: float
    """What everything else on the machine used."""
    loop_lag_p99_ms: float

    def __str__(self) -> str:
        return (
            f"cores meanwhile: server {self.server_cores:.2f}, of which outside the detector {self.outside_cores:.2f}, "
            f"clients {self.client_cores:.2f}, others {self.other_cores:.2f}; lag p99 {self.loop_lag_p99_ms:.1f} ms"
        )


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Which client loads a server of which settings."""

    name: str
    """Of the phase, and so of its logs."""
    client: str
    """Module of the client: it is given JSON with `url`, `cache`, `result` and what is `wanted`, says `measuring`
    and `measured` on its stdout, and writes what it saw as JSON to `result`."""
    wanted: Mapping[str, Any]
    """What else the client is told."""
    settings: Mapping[str, str]
    """Of the server, but for its port."""
    out: Path

    @property
    def server_log(self) -> Path:
        """What the server says."""
        return self.out / f"{self.name}-server.log"


async def under_load(options: LoadOptions) -> tuple[Any, Costs]:
    """Run server and client; returns what the client saw. Raises Failed when that cannot be measured."""
    out, name = options.out, options.name
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    result, client_log = out / f"{name}-client.json", out / f"{name}-client.log"
    result.unlink(missing_ok=True)
    told = json.dumps({"url": url, "cache": str(out), "result": str(result), **options.wanted})
    env = {**options.settings, "VEDETTE_PORT": str(port)}
    async with (
        server(("server",), url, "/health/ready", options.server_log, env) as running,
        process((options.client, told), client_log) as client,
    ):
        await word(client, "measuring", client_log)
        began_s, machine_s = time.monotonic(), proc.machine_busy_s()
        server_before, client_before = proc.cpu(running.pid), proc.cpu(client.pid)
        await word(client, "measured", client_log)
        elapsed_s, busy_s = time.monotonic() - began_s, proc.machine_busy_s() - machine_s
        used, client_s = proc.cpu(running.pid) - server_before, (proc.cpu(client.pid) - client_before).total_s
        lag_s = (await Scrape.of(url)).value(LAG, quantile="0.99") or 0.0
        await finish(client, client_log)
    costs = Costs(
        server_cores=used.total_s / elapsed_s,
        outside_cores=(used.total_s - used.detector_s) / elapsed_s,
        client_cores=client_s / elapsed_s,
        other_cores=max(0.0, (busy_s - used.total_s - client_s) / elapsed_s),
        loop_lag_p99_ms=lag_s * 1e3,
    )
    return json.loads(result.read_text()), costs
