"""The detectors that run: one worker for each model and input, started when first asked for, shared by all sessions."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tracks.detect import Detector, DetectorInfo
from tracks.detect.runtime import has_gpu
from tracks.lookout import DetectorWorker
from tracks.registry import Profile, Registry
from tracks.types import Detections, Image
from tracks.vision import VisionOptions
from tracks.worker import Worker

logger = logging.getLogger(__name__)

MAX_PENDING = 128
"""Each of 64 sessions has at most two pictures under way."""
NICENESS = 2
"""Of the detector's threads: encoder and event loop come first, but not so far first that the threads of one inference,
which wait for each other, lose a core whenever anybody else wants it.

Measured on two cores beside encoder and client, `exact`: 21 returned pictures a second at a median of 148 ms with 10,
24 at 131 ms with 0; but in `smooth` the event loop's lag (p99) is 45 ms with 0, and 6 to 10 ms with 1 to 5.
"""

Load = Callable[..., Detector]
"""`tracks.detect.load.load_detector`, or what stands in for it."""


class Engines:
    """Detector workers by what they run. `close` ends their threads."""

    def __init__(
        self,
        registry: Registry,
        *,
        detector: str,
        data_dir: Path,
        force_cpu: bool,
        threads: int,
        max_rate_hz: float,
        load: Load | None = None,
    ) -> None:
        self._registry = registry
        self._detector = detector
        self._data_dir = data_dir
        self._force_cpu = force_cpu
        self._threads = threads or default_threads()
        self._gpu: bool | None = None
        self._max_rate_hz = max_rate_hz
        self._load = load or _load_detector
        self._workers: dict[tuple[str, int, bool], DetectorWorker] = {}

    def profile(self, name: str) -> Profile:
        """The profile of that name, `auto` resolved for this machine. Blocking. Raises NotFound, naming the choices."""
        if self._gpu is None:
            self._gpu = not self._force_cpu and has_gpu()
        return self._registry.profile(name, gpu=self._gpu, force_cpu=self._force_cpu)

    def worker(self, profile: Profile) -> DetectorWorker:
        """The worker that runs the profile's detector; it builds the model when first used."""
        choice = self._detector if self._detector != "auto" else profile.detector
        force_cpu = self._force_cpu or profile.force_cpu
        key = (choice, profile.input_size, force_cpu)
        worker = self._workers.get(key)
        if worker is None:
            worker = self._workers[key] = Worker(
                "detector",
                lambda: self._build(choice, profile.input_size, force_cpu, self._threads),
                _detect,
                batch_key=_shape,
                max_pending=MAX_PENDING,
                niceness=NICENESS,
            )
        return worker

    def options(self, profile: Profile, overlay: str | None, classes: Sequence[str] | None) -> VisionOptions:
        """How a session of this profile watches."""
        chosen = "exact" if (overlay or profile.overlay) == "exact" else "smooth"
        return VisionOptions(
            overlay=chosen,  # type: ignore[arg-type]
            classes=None if classes is None else frozenset(classes),
            max_rate_hz=_lowest(profile.max_rate_hz if chosen == "smooth" else 0.0, self._max_rate_hz),
        )

    def infos(self) -> list[DetectorInfo]:
        """What runs, for those that are built."""
        return [worker.engine.info for worker in self._workers.values() if worker.engine is not None]

    async def close(self) -> None:
        """End every worker."""
        for worker in self._workers.values():
            await worker.close()

    def _build(self, choice: str, input_size: int, force_cpu: bool, threads: int) -> Detector:
        return self._load(
            choice,
            registry=self._registry,
            data_dir=self._data_dir,
            input_size=input_size,
            force_cpu=force_cpu,
            threads=threads,
            report=logger.info,
        )


def _load_detector(choice: str, **options: Any) -> Detector:
    """`load_detector`, imported on the worker's thread: torch takes seconds, and the server answers in the meantime."""
    from tracks.detect.load import load_detector

    return load_detector(choice, **options)


def default_threads() -> int:
    """Threads of a detector on the CPU.

    All cores, where the scheduler can be told that decoders, encoders and the event loop come first; else one is left
    to them.
    """
    cores = os.cpu_count() or 2
    return cores if sys.platform == "linux" else max(1, cores - 1)


def _detect(detector: Detector, images: Sequence[Image]) -> list[Detections]:
    return detector.detect(images)


def _shape(image: Image) -> tuple[int, ...]:
    return image.shape


def _lowest(*limits: float) -> float:
    """The lowest of the limits that are set; 0 when none is."""
    return min((limit for limit in limits if limit), default=0.0)
