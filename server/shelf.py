"""The models that this server knows: those of the registry, and those that were fetched besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracks.asr.hub import WhisperHub
from tracks.detect.hub import Hub
from tracks.registry import Profile, Registry

from .inventory import Automatic, Entry, automatic, inventory
from .inventory_asr import automatic_recogniser, recognisers


@dataclass(frozen=True, slots=True)
class Shelved:
    """What there is to choose from."""

    models: list[Entry]
    """Detectors, then recognisers, those of the registry first."""
    profiles: list[Profile]
    auto_detector: Automatic
    auto_recogniser: Automatic


def look(registry: Registry, folder: Path) -> Shelved:
    """What is on the shelf now; `folder` is where fetched models are. Blocking for a moment."""
    hub, whisper = Hub(folder), WhisperHub(folder / "asr")
    return Shelved(
        [*inventory(registry, hub), *recognisers(registry, whisper)],
        list(registry.profiles.values()),
        automatic(registry, hub),
        automatic_recogniser(registry, whisper),
    )
