"""The recognisers that run: one worker each, started when first asked for, shared by sessions and requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tracks.asr import Asr, AsrInfo
from tracks.asr.options import Endpoint
from tracks.dictation import AsrWorker, asr_worker
from tracks.errors import ModelUnavailable, VedetteError
from tracks.registry import ModelSpec, Registry

from .renewal import Renewal
from .retired import Retired
from .settings import Settings

logger = logging.getLogger(__name__)

NICENESS = 3
"""Of the recogniser's threads: media comes first, as it does before the detector."""

_Key = tuple[str, ModelSpec | None]
"""What was chosen, and what the registry says of it."""
_Renewal = Renewal[_Key, AsrWorker]

Load = Callable[..., Asr]
"""`tracks.asr.load.load_recogniser`, or what stands in for it."""


class Recognisers:
    """Workers by the names of the registry, and the server's own. `close` ends their threads."""

    def __init__(
        self,
        registry: Registry,
        *,
        choice: str,
        data_dir: Path,
        force_cpu: bool,
        threads: int = 0,
        endpoint: Endpoint | None = None,
        load: Load | None = None,
    ) -> None:
        """`choice` is the server's own: `auto`, a name, a hub name or a path."""
        self._registry = registry
        self._choice = choice
        self._options = {"data_dir": data_dir, "force_cpu": force_cpu, "threads": threads, "endpoint": endpoint}
        self._load = load or _load_recogniser
        self._workers: dict[_Key, AsrWorker] = {}
        self.retired = Retired()
        """Workers of a registry before this one, while sessions still use them."""

    @property
    def names(self) -> Sequence[str]:
        """Of the registry, in alphabetical order."""
        return sorted(each.name for each in self._registry.models.values() if each.task == "asr")

    def worker(self, name: str | None = None) -> AsrWorker:
        """The recogniser of that name, or the server's own, which alone may be replaced when it cannot be had.

        It is loaded when it is first used. Raises NotFound for a name that is not in the registry.
        """
        if name is not None:
            self._registry.model(name, "asr")
        return self._worker(name or self._choice, self._registry, self._workers)

    def held(self, worker: AsrWorker) -> AbstractContextManager[None]:
        """While a recording is heard piece by piece, its recogniser stays, also when another one is loaded."""
        return self.retired.held(worker)

    async def prepare(self, registry: Registry, *, anew: bool) -> _Renewal:
        """Load the server's own recogniser by another registry, as `Engines.prepare` does detectors."""
        renewal = Renewal(registry, self._workers, self._put, anew=anew)
        before = self.worker().engine
        fresh = self._worker(self._choice, registry, renewal.workers)
        try:
            info = (await fresh.start()).info
            if info.fallback and before is not None and not before.info.fallback:
                raise ModelUnavailable(info.reason)
        except BaseException as error:
            if before is not None or not isinstance(error, VedetteError):
                await renewal.drop()
                raise
        return renewal

    def infos(self) -> list[AsrInfo]:
        """What runs, for those that are built."""
        return [worker.engine.info for worker in self._workers.values() if worker.engine is not None]

    async def close(self) -> None:
        """End every worker."""
        for worker in self._workers.values():
            await worker.close()
        await self.retired.close()

    def _put(self, registry: Registry, workers: dict[_Key, AsrWorker]) -> None:
        self._registry, self._workers = registry, workers

    def _worker(self, chosen: str, registry: Registry, workers: dict[_Key, AsrWorker]) -> AsrWorker:
        key = (chosen, registry.models.get(chosen))
        worker = workers.get(key)
        if worker is None:
            # What a client names is not fetched for it: that is for who runs the server to decide.
            own = chosen == self._choice
            worker = workers[key] = asr_worker(lambda: self._build(registry, chosen, own), niceness=NICENESS)
        return worker

    def _build(self, registry: Registry, choice: str, own: bool) -> Asr:
        return self._load(choice, registry=registry, fallback=own, fetch=own, report=logger.info, **self._options)


def endpoint_of(settings: Settings) -> Endpoint | None:
    """Where recognisers elsewhere are."""
    if settings.openai_base_url is None:
        return None
    return Endpoint(settings.openai_base_url, settings.openai_api_key or "")


def _load_recogniser(choice: str, **options: Any) -> Asr:
    """`load_recogniser`, imported on the worker's thread: its libraries take seconds."""
    from tracks.asr.load import load_recogniser

    return load_recogniser(choice, **options)
