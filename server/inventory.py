"""Which models there are: those of the registry, and those that the hub gave without the registry knowing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tracks.detect.hub import NAME, Hub
from tracks.errors import NotFound
from tracks.registry import ModelSpec, Registry

Place = Literal["bundled", "file", "fetched", "not here", "missing", "elsewhere"]
"""`not here` can be fetched; a file of the registry that is `missing` cannot; `elsewhere` is behind OPENAI_BASE_URL."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model and where it is."""

    name: str
    """What to choose it by: its name in the registry, or its file name at the hub."""
    task: str
    place: Place
    path: Path | None
    """Where it is or would be: a file, or the folder of an OpenVINO, CTranslate2 or Sphinx model. None when nowhere."""
    size_bytes: int | None
    """None when it is not here."""
    sha256: str | None
    """What it must have: the registry's, else that of its first use. None while nobody knows."""
    licence: str
    hub: str | None
    """Its file name at the hub; of recognisers: its repository, or its name elsewhere."""
    engine: str = ""
    """Of recognisers."""

    def as_json(self) -> dict[str, Any]:
        """JSON-ready, camelCase."""
        return {
            "name": self.name,
            "task": self.task,
            "place": self.place,
            "path": None if self.path is None else str(self.path),
            "bytes": self.size_bytes,
            "sha256": self.sha256,
            "licence": self.licence,
            "hub": self.hub,
            **({"engine": self.engine} if self.engine else {}),
        }

    @property
    def here(self) -> bool:
        """Whether its file is there."""
        return self.size_bytes is not None


@dataclass(frozen=True, slots=True)
class Automatic:
    """What the choice `auto` means now."""

    name: str
    why: str


def inventory(registry: Registry, hub: Hub) -> list[Entry]:
    """The registry's detectors in its order, then what else was fetched, by name. Blocking for a moment."""
    known = hub.known()
    entries = [_entry(spec, hub, known) for spec in registry.models.values() if spec.task == "detect"]
    registered = {entry.hub for entry in entries}
    others = sorted({path.name for path in hub.folder.glob("*.pt") if NAME.fullmatch(path.name)} - registered)
    return [*entries, *(_from_hub(name, "detect", name, None, "unknown", hub, known) for name in others)]


def automatic(registry: Registry, hub: Hub) -> Automatic:
    """What `auto` chooses: the newest model that was fetched, else the one that ships (see tracks/detect/load.py)."""
    fetched = hub.fetched()
    if fetched:
        name = next((spec.name for spec in registry.models.values() if spec.hub == fetched[0].name), fetched[0].name)
        return Automatic(name, "the newest model fetched earlier")
    return Automatic(registry.bundled_detector.name, "nothing was fetched, so the weights that ship with Vedette")


def find(name: str, entries: list[Entry]) -> Entry:
    """The entry of that name, or of that file name at the hub. Raises NotFound, naming those there are."""
    for entry in entries:
        if name in (entry.name, entry.hub):
            return entry
    raise NotFound(f"unknown model {name!r}, have: {', '.join(entry.name for entry in entries)}")


def _entry(spec: ModelSpec, hub: Hub, known: dict[str, str]) -> Entry:
    if spec.hub is not None:
        return _from_hub(spec.name, spec.task, spec.hub, spec.sha256, spec.licence, hub, known)
    assert spec.file is not None  # the registry has seen to it
    size_bytes = size_on_disk(spec.file)
    place: Place = "missing" if size_bytes is None else "bundled" if spec.bundled else "file"
    return Entry(spec.name, spec.task, place, spec.file, size_bytes, spec.sha256, spec.licence, None)


def _from_hub(
    name: str, task: str, file_name: str, sha256: str | None, licence: str, hub: Hub, known: dict[str, str]
) -> Entry:
    path = hub.folder / file_name
    size_bytes = size_on_disk(path)
    place: Place = "not here" if size_bytes is None else "fetched"
    return Entry(name, task, place, path, size_bytes, sha256 or known.get(file_name), licence, file_name)


def size_on_disk(path: Path | None) -> int | None:
    """Bytes of a file, or of all files in and below a folder; None when there is nothing."""
    if path is None or not path.exists():
        return None
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
