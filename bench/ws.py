"""The phase `ws`: pictures over `/ws/stream`, between two stretches of the bare detector that decodes them itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from .detector import DetectorOptions, bare_rate
from .processes import Failed
from .under_load import Costs, LoadOptions, under_load

PROFILE = "accurate"
"""It has every picture looked at; `fast` has a rate of its own."""


@dataclass(frozen=True, slots=True)
class WsLoad:
    """What one run of the phase measured."""

    bare_fps: tuple[float, float]
    """Of the bare detector that decodes each picture, then looks at it, one after the other: before and after."""
    answered_fps: float
    lost: int
    """Pictures that were dropped or refused."""
    p50_ms: float
    p95_ms: float
    """From before a picture is sent to its detection, with as many on their way as the server lets a client have."""
    in_flight: int
    objects: int
    costs: Costs

    @property
    def bare_mean_fps(self) -> float:
        """A machine is slower at one moment than at another."""
        return fmean(self.bare_fps)

    @property
    def bare_ms(self) -> float:
        """What one picture takes alone: decoding and detection."""
        return 1e3 / self.bare_mean_fps

    @property
    def added_ms(self) -> float:
        """What a client waits for its detection beyond that."""
        return self.p50_ms - self.bare_ms


async def ws_load(detector: DetectorOptions, out: Path, seconds: float, settings: Mapping[str, str]) -> WsLoad:
    """Run the phase with a server of these settings, but for its port. Raises Failed when it cannot be measured."""
    decoding = replace(detector, jpeg=True)
    before_fps = await bare_rate(decoding, out, seconds)
    wanted = {"profile": PROFILE, "seconds": seconds}
    options = LoadOptions("ws", "bench.ws_client", wanted, settings, out)
    seen, costs = await under_load(options)
    after_fps = await bare_rate(decoding, out, seconds)
    if not seen["latencies_s"]:
        raise Failed(f"no picture was answered, {seen['lost']} were lost, see {options.server_log}")
    p50_s, p95_s = np.percentile(seen["latencies_s"], (50, 95)).tolist()
    return WsLoad(
        bare_fps=(before_fps, after_fps),
        answered_fps=len(seen["latencies_s"]) / seen["seconds"],
        lost=seen["lost"],
        p50_ms=p50_s * 1e3,
        p95_ms=p95_s * 1e3,
        in_flight=seen["in_flight"],
        objects=seen["objects"],
        costs=costs,
    )
