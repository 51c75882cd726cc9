"""Which recognisers of speech there are: those of the registry, and those that the hub gave besides."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tracks.asr.hub import WhisperHub
from tracks.registry import ModelSpec, Registry

from .inventory import Automatic, Entry, Place, size_on_disk

PACKAGE = "pocketsphinx"


def recognisers(registry: Registry, hub: WhisperHub) -> list[Entry]:
    """The registry's recognisers in its order, then what else was fetched, by name. Blocking for a moment."""
    specs = [spec for spec in registry.models.values() if spec.task == "asr"]
    registered = {spec.hub for spec in specs if spec.engine == "faster-whisper"}
    others = [name for name in hub.known() if name not in registered and (hub.place(name) / "model.bin").is_file()]
    made_up = [ModelSpec(name, "asr", hub=name, engine="faster-whisper") for name in others]
    return [_entry(spec, hub) for spec in (*specs, *made_up)]


def automatic_recogniser(registry: Registry, hub: WhisperHub) -> Automatic:
    """What `auto` chooses: the newest model that was fetched, else what is always there (see tracks/asr/load.py)."""
    fetched = hub.fetched()
    if fetched:
        name = next((spec.name for spec in registry.models.values() if spec.hub == fetched[0]), fetched[0])
        return Automatic(name, "the newest model fetched earlier")
    return Automatic(registry.bundled_recogniser.name, "nothing was fetched, so the one that is always there")


def packaged_model() -> Path | None:
    """The folder of pocketsphinx's model in its package; None where it is not installed. Imports nothing of it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "model"


def _entry(spec: ModelSpec, hub: WhisperHub) -> Entry:
    place: Place
    path, sha256, size_bytes = spec.file, spec.sha256, None
    if spec.engine == "openai":
        place = "elsewhere"
    elif spec.engine == "pocketsphinx":
        path = packaged_model()
        size_bytes = size_on_disk(path)
        place = "missing" if size_bytes is None else "bundled"
    elif spec.hub is not None:
        path = hub.place(spec.hub)
        first = hub.known().get(spec.hub)
        sha256 = sha256 or first
        # Without its hash a fetch was not finished.
        size_bytes = size_on_disk(path) if first is not None and (path / "model.bin").is_file() else None
        place = "not here" if size_bytes is None else "fetched"
    else:
        size_bytes = size_on_disk(path)
        place = "missing" if size_bytes is None else "file"
    return Entry(spec.name, spec.task, place, path, size_bytes, sha256, spec.licence, spec.hub, spec.engine)
