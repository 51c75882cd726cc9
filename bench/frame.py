"""The phase `frame`: single pictures by `POST /analyze/frame`, between two stretches of the bare detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from .detector import DetectorOptions, bare_rate
from .processes import Failed
from .under_load import Costs, LoadOptions, under_load

CLIENTS = 4


@dataclass(frozen=True, slots=True)
class FrameLoad:
    """What one run of the phase measured."""

    clients: int
    bare_fps: tuple[float, float]
    """Of the bare detector, before and after."""
    decoding_fps: float
    """Of the bare detector when it decodes each picture first, one after the other; a bound that is only shown."""
    answered_fps: float
    refused: int
    p50_ms: float
    p95_ms: float
    """From before the request to behind its answer."""
    objects: int
    timings_ms: dict[str, float]
    """Means of what the server says of itself."""
    costs: Costs

    @property
    def bare_mean_fps(self) -> float:
        """A machine is slower at one moment than at another."""
        return fmean(self.bare_fps)


async def frame_load(
    detector: DetectorOptions, out: Path, seconds: float, settings: Mapping[str, str], clients: int = CLIENTS
) -> FrameLoad:
    """Run the phase with a server of these settings, but for its port. Raises Failed when it cannot be measured."""
    before_fps = await bare_rate(detector, out, seconds)
    wanted = {"clients": clients, "seconds": seconds}
    options = LoadOptions("frame", "bench.frame_client", wanted, settings, out)
    seen, costs = await under_load(options)
    after_fps = await bare_rate(detector, out, seconds)
    decoding_fps = await bare_rate(replace(detector, jpeg=True), out, seconds)
    if not seen["latencies_s"]:
        raise Failed(f"no picture was answered, {seen['refused']} were refused, see {options.server_log}")
    p50_s, p95_s = np.percentile(seen["latencies_s"], (50, 95)).tolist()
    return FrameLoad(
        clients=clients,
        bare_fps=(before_fps, after_fps),
        decoding_fps=decoding_fps,
        answered_fps=len(seen["latencies_s"]) / seen["seconds"],
        refused=seen["refused"],
        p50_ms=p50_s * 1e3,
        p95_ms=p95_s * 1e3,
        objects=seen["objects"],
        timings_ms=seen["timings_ms"],
        costs=costs,
    )
