"""From a choice in the settings to a running detector, whatever the machine can give.

Order: what was chosen (a registry name, a hub name, a path); for `auto` the newest model that the hub gave earlier; the
bundled weights. What runs in the place of something else says so in its `info`, in the log and to `report`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ModelUnavailable, NotFound
from ..frames import PADDING
from ..registry import DETECTORS, ModelSpec, Registry, resolve
from . import Detector
from .hub import NAME, URL, Hub
from .options import Options, Report
from .runtime import runtimes
from .weights import Weights, WeightsRefused, verified

logger = logging.getLogger(__name__)

Load = Callable[[Weights, Options], Detector]

WARM_UP_SOURCE = (1280, 720)
"""(width, height) of the source whose input is compiled and run once while loading."""
DEFAULT_INPUT_SIZE = 640
"""Pixels of the longer side for models that the registry does not know; ultralytics' default."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Weights that may be loaded, and where from."""

    weights: Callable[[], Weights]
    runtime: str
    input_size: int
    why: str


def load_detector(
    choice: str,
    *,
    registry: Registry,
    data_dir: Path,
    report: Report,
    input_size: int = 0,
    runtime: str = "auto",
    force_cpu: bool = False,
    threads: int = 0,
    fallback: bool = True,
    hub_url: str = URL,
) -> Detector:
    """The detector for `choice`: `auto`, a registry name, a hub name such as `yolo26n.pt`, or a path.

    Blocking, for seconds to minutes; call on the thread that will run it. `input_size` and `runtime` win over the
    registry's (0 and `auto`: do not); `threads` limits the CPU threads of inference (0: the runtime's own choice).
    Raises NotFound for a choice that is no name, and ModelUnavailable when nothing could be loaded, or, without
    `fallback`, when the choice itself could not.
    """
    problems: list[str] = []
    for candidate in _candidates(choice, registry, Hub(data_dir / "models", hub_url), report):
        wanted = candidate.runtime if runtime == "auto" else runtime
        options = Options("cpu", data_dir / "cache", input_size or candidate.input_size, threads, report, candidate.why)
        try:
            return _start(candidate.weights(), wanted, options, problems, force_cpu=force_cpu, fallback=fallback)
        except ModelUnavailable as error:
            if not fallback:
                raise
            logger.warning("detector %s: %s", choice, error.message)
            report(f"{candidate.why}, but: {error.message}")
            problems.append(error.message)
    raise ModelUnavailable(f"no detector could be loaded for {choice!r}: {'; '.join(problems)}")


def _start(
    weights: Weights, wanted: str, options: Options, problems: list[str], *, force_cpu: bool, fallback: bool
) -> Detector:
    """Load on the first runtime that works, after the wanted one; what did not work is added to `problems`."""
    failed: list[str] = []
    for name in dict.fromkeys((wanted, "auto") if fallback else (wanted,)):
        try:
            for runtime in runtimes(name, weights.format, force_cpu=force_cpu):
                lost = [*problems, *failed]
                why = "; ".join((options.reason, runtime.reason, *(f"instead, because {each}" for each in lost)))
                try:
                    load: Load = resolve(DETECTORS[runtime.backend])
                    final = replace(options, device=runtime.device, reason=why, fallback=bool(lost))
                    return _warm(load(weights, final))
                except WeightsRefused:
                    raise
                except Exception as error:  # three runtimes, each with errors of its own, on files from anywhere
                    logger.warning("%s on %s failed", weights.path, runtime.name, exc_info=True)
                    failed.append(f"{weights.name} does not load on {runtime.name}: {error}")
        except WeightsRefused:
            raise
        except ModelUnavailable as error:
            failed.append(error.message)
    raise ModelUnavailable("; ".join(failed))


def _warm(detector: Detector) -> Detector:
    """Run once, so that the first frame does not pay for compiling; a model that cannot run fails here."""
    height, width = detector.input_size(*WARM_UP_SOURCE)
    detector.detect([np.full((height, width, 3), PADDING, np.uint8)])
    return detector


def _candidates(choice: str, registry: Registry, hub: Hub, report: Report) -> Iterator[_Candidate]:
    """What to try for a choice, in order; the bundled weights are always last."""
    bundled = registry.bundled_detector
    chosen = registry.models.get(choice)
    if choice == "auto":
        for path in hub.fetched():
            yield _from_hub(path.name, hub, report, "the newest model fetched earlier", fetch=False)
    elif chosen is not None:
        spec = registry.model(choice)
        if spec.hub is not None:
            yield _from_hub(spec.hub, hub, report, f"{choice} was chosen", fetch=spec.fetch, spec=spec)
        else:
            yield _from_file(spec, f"{choice} was chosen")
    elif NAME.fullmatch(choice):
        # A hub name in the settings is a person's word that it may be fetched.
        yield _from_hub(choice, hub, report, f"{choice} was chosen", fetch=True)
    elif os.sep in choice or "/" in choice or Path(choice).exists():
        path = Path(choice).expanduser()
        yield _Candidate(lambda: verified(path, path.stem), "auto", DEFAULT_INPUT_SIZE, f"{choice} was chosen")
    else:
        have = sorted(each.name for each in registry.models.values() if each.task == "detect")
        raise NotFound(
            f"unknown detector {choice!r}, have: auto, {', '.join(have)}, a hub name such as yolo26n.pt, or a path"
        )
    if chosen != bundled:
        yield _from_file(bundled, "these are the weights that ship with Vedette")


def _from_file(spec: ModelSpec, why: str) -> _Candidate:
    def weights() -> Weights:
        assert spec.file is not None
        return verified(spec.file, spec.name, spec.sha256, spec.labels)

    return _Candidate(weights, spec.runtime, spec.input_size, why)


def _from_hub(
    name: str, hub: Hub, report: Report, why: str, *, fetch: bool, spec: ModelSpec | None = None
) -> _Candidate:
    def weights() -> Weights:
        wanted = None if spec is None else spec.sha256
        path, first = hub.get(name, report, fetch=fetch, sha256=wanted)
        return verified(path, path.stem, wanted or first, spec.labels if spec is not None else ())

    return _Candidate(weights, spec.runtime if spec else "auto", spec.input_size if spec else DEFAULT_INPUT_SIZE, why)
