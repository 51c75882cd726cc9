"""The models that this server knows, of the registry and fetched besides, and how they change while it runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracks.asr.hub import WhisperHub
from tracks.detect.hub import Hub
from tracks.errors import InvalidRequest, NotFound, StorageFull
from tracks.registry import Profile, Registry

from .engines import Engines
from .inventory import Automatic, Entry, automatic, inventory
from .inventory_asr import automatic_recogniser
from .inventory_asr import recognisers as inventory_asr
from .recognisers import Recognisers
from .sessions import LiveSessions
from .settings import STORED_REGISTRY, Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shelved:
    """What there is to choose from."""

    models: list[Entry]
    """Detectors, then recognisers, those of the registry first."""
    profiles: list[Profile]
    auto_detector: Automatic
    auto_recogniser: Automatic


class Shelf:
    """The registry of a running server. Use on the event loop."""

    def __init__(
        self, registry: Registry, settings: Settings, engines: Engines, recognisers: Recognisers, live: LiveSessions
    ) -> None:
        self.engines = engines
        self.recognisers = recognisers
        self._registry = registry
        self._settings = settings
        self._live = live
        self._stored = settings.data_dir / STORED_REGISTRY
        self._turn = asyncio.Lock()

    async def look(self) -> Shelved:
        """What is there now."""
        return await asyncio.to_thread(look, self._registry, self._stored.parent)

    async def reload(self) -> Mapping[str, str]:
        """Read the registry again and load anew what runs; returns why sessions watch on as before, by their ids.

        New sessions take what is loaded then, running ones go on with it at their next frame; those that listen keep
        their recogniser. Raises InvalidRequest for a registry that is broken, ModelUnavailable as `Engines.prepare`:
        everything is as it was then.
        """
        async with self._turn:
            return await self._take(await asyncio.to_thread(Registry.load, *self._settings.registry_files), anew=True)

    async def put(self, name: str, values: Mapping[str, Any]) -> tuple[Entry, bool]:
        """Have a model in the registry, from now on and after a restart, and load it where it runs.

        Returns it, and whether there was none of that name. Raises InvalidRequest for what the registry does not take,
        StorageFull, and as `reload`.
        """
        async with self._turn:
            made = name not in self._registry.models
            with _written():
                registry, draft = await asyncio.to_thread(self._draft, name, values)
            try:
                await self._take(registry, anew=False)
                with _written():
                    await asyncio.to_thread(os.replace, draft, self._stored)
            finally:
                await asyncio.to_thread(draft.unlink, missing_ok=True)
        found = await self.look()
        return next(each for each in found.models if each.name == name), made

    def _draft(self, name: str, values: Mapping[str, Any]) -> tuple[Registry, Path]:
        """The registry with that model, and the file, not yet in force, that says so. Blocking."""
        document = json.loads(self._stored.read_text("utf-8")) if self._stored.is_file() else {}
        document.setdefault("models", {})[name] = dict(values)
        draft = self._stored.with_name("registry.draft.json")
        draft.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        files = [path for path in self._settings.registry_files if path != self._stored]
        try:
            return Registry.load(*files, draft), draft
        except InvalidRequest as error:
            draft.unlink()
            raise InvalidRequest(error.message.removeprefix(f"model registry {draft}: ")) from None

    async def _take(self, registry: Registry, *, anew: bool) -> Mapping[str, str]:
        """Put a registry in force: first what is loaded, then who uses it."""
        default = self._settings.profile
        used = {session.row.profile for session in self._live if session.row.profile in registry.profiles}
        try:
            detectors = await self.engines.prepare(registry, [default, *used], anew=anew)
        except NotFound as error:
            raise InvalidRequest(error.message) from None
        try:
            recognisers = await self.recognisers.prepare(registry, anew=anew)
        except BaseException:
            await detectors.drop()
            raise
        over, deaf = detectors.use(), recognisers.use()
        self._registry = registry
        kept = await self._live.renew()
        self.engines.retired.add(over, [session_id for session_id in kept if self._live.find(session_id)])
        listening = [session.row.id for session in self._live if "audio" in session.row.pipelines]
        self.recognisers.retired.add(deaf, listening)
        for session_id, why in kept.items():
            logger.warning("session %s goes on with the detector that it had: %s", session_id, why)
        return kept


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"the registry cannot be written: {error.strerror}") from None


def look(registry: Registry, folder: Path) -> Shelved:
    """What is on the shelf; `folder` is where fetched models are. Blocking for a moment."""
    hub, whisper = Hub(folder), WhisperHub(folder / "asr")
    return Shelved(
        [*inventory(registry, hub), *inventory_asr(registry, whisper)],
        list(registry.profiles.values()),
        automatic(registry, hub),
        automatic_recogniser(registry, whisper),
    )
