"""The detectors that run: one worker for each model and input, started when first asked for, shared by all sessions."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from tracks.detect import Detector, DetectorInfo
from tracks.detect.runtime import has_gpu
from tracks.errors import ModelUnavailable, NotFound
from tracks.lookout import DetectorWorker
from tracks.registry import ModelSpec, Profile, Registry
from tracks.types import Detections, Image
from tracks.vision import VisionOptions
from tracks.worker import Worker

from .renewal import Renewal
from .retired import Retired

logger = logging.getLogger(__name__)

MAX_PENDING = 128
"""Each of 64 sessions has at most two pictures under way."""
NICENESS = 2
"""Of the detector's threads: encoder and event loop come first, but not so far first that the threads of one inference,
which wait for each other, lose a core whenever anybody else wants it.

Measured on two cores beside encoder and client, `exact`: 21 returned pictures a second at a median of 148 ms with 10,
24 at 131 ms with 0; but in `smooth` the event loop's lag (p99) is 45 ms with 0, and 6 to 10 ms with 1 to 5.
"""

_Key = tuple[str, ModelSpec | None, int, bool]
"""What was chosen, what the registry says of it, the size of the input, and whether the CPU is forced."""
_Renewal = Renewal[_Key, DetectorWorker]

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
        self._workers: dict[_Key, DetectorWorker] = {}
        self.retired = Retired()
        """Workers of a registry before, while sessions still use them."""

    def profile(self, name: str) -> Profile:
        """The profile of that name, `auto` resolved for this machine. Blocking. Raises NotFound, naming the choices."""
        if self._gpu is None:
            self._gpu = not self._force_cpu and has_gpu()
        return self._resolved(self._registry, name)

    def worker(self, profile: Profile) -> DetectorWorker:
        """The worker that runs the profile's detector; it builds the model when first used."""
        return self._worker(profile, self._registry, self._workers)

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

    async def prepare(self, registry: Registry, profiles: Collection[str], *, anew: bool) -> _Renewal:
        """Load what these profiles run by another registry; what runs goes on meanwhile.

        What the registry says the same of as before stays loaded, unless all is to be loaded `anew`. Raises
        ModelUnavailable when something that ran could not be loaded again, or only with something in its place, and
        NotFound for a profile that is gone.
        """
        renewal = Renewal(registry, self._workers, self._put, anew=anew)
        try:
            for name in profiles:
                fresh = self._worker(self._resolved(registry, name), registry, renewal.workers)
                await _no_worse(fresh, self._running(name))
        except BaseException:
            await renewal.drop()
            raise
        return renewal

    async def close(self) -> None:
        """End every worker."""
        for worker in self._workers.values():
            await worker.close()
        await self.retired.close()

    def _put(self, registry: Registry, workers: dict[_Key, DetectorWorker]) -> None:
        self._registry, self._workers = registry, workers

    def _resolved(self, registry: Registry, name: str) -> Profile:
        return registry.profile(name, gpu=bool(self._gpu), force_cpu=self._force_cpu)

    def _worker(self, profile: Profile, registry: Registry, workers: dict[_Key, DetectorWorker]) -> DetectorWorker:
        choice = self._detector if self._detector != "auto" else profile.detector
        force_cpu = self._force_cpu or profile.force_cpu
        key = (choice, registry.models.get(choice), profile.input_size, force_cpu)
        worker = workers.get(key)
        if worker is None:
            worker = workers[key] = Worker(
                "detector",
                lambda: self._build(registry, choice, profile.input_size, force_cpu),
                _detect,
                batch_key=_shape,
                max_pending=MAX_PENDING,
                niceness=NICENESS,
            )
        return worker

    def _running(self, name: str) -> DetectorInfo | None:
        """What a profile runs now; None when that is not loaded, or there is no such profile."""
        try:
            engine = self.worker(self.profile(name)).engine
        except NotFound:
            return None
        return None if engine is None else engine.info

    def _build(self, registry: Registry, choice: str, input_size: int, force_cpu: bool) -> Detector:
        return self._load(
            choice,
            registry=registry,
            data_dir=self._data_dir,
            input_size=input_size,
            force_cpu=force_cpu,
            threads=self._threads,
            report=logger.info,
        )


async def _no_worse(fresh: DetectorWorker, before: DetectorInfo | None) -> None:
    """Load a detector. Raises ModelUnavailable when that fails and the one before it had not."""
    try:
        info = (await fresh.start()).info
    except ModelUnavailable:
        if before is not None:
            raise
    else:
        if info.fallback and before is not None and not before.fallback:
            raise ModelUnavailable(info.reason)


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
