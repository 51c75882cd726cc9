"""Whether a model is what it should be, and whether it works."""

from __future__ import annotations

import time

from rich.console import Console

from tracks.detect.confine import confine_ultralytics
from tracks.detect.load import load_detector
from tracks.detect.weights import verified
from tracks.errors import ModelUnavailable
from tracks.registry import Registry

from ..engines import default_threads
from ..settings import Settings
from .inventory import Entry
from .quiet import quiet_logs
from .trial import try_detector
from .words import describe_detector


def check(entry: Entry) -> str:
    """What its hash was compared with, in words. Blocking. Raises ModelUnavailable when it is not what it should be."""
    if not entry.here and entry.hub is not None:
        raise ModelUnavailable(f"it is not here; `vedette models pull {entry.name}` fetches it")
    weights = verified(entry.path, entry.name, entry.sha256)
    if entry.sha256 is None:
        return f"sha256 {weights.sha256}, with nothing to compare it with"
    return f"sha256 {weights.sha256[:12]}… is right"


def try_loading(entry: Entry, settings: Settings, registry: Registry, errors: Console) -> str:
    """Load it as the server would, detect once, and say how that went. Blocking, for seconds to a minute.

    Raises ModelUnavailable when it does not load; nothing is tried in its place.
    """
    confine_ultralytics(settings.data_dir / "cache")
    began_s = time.monotonic()
    with quiet_logs():
        detector = load_detector(
            entry.name,
            registry=registry,
            data_dir=settings.data_dir,
            report=errors.print,
            force_cpu=settings.force_cpu,
            threads=settings.detector_threads or default_threads(),
            fallback=False,
        )
        try:
            trial = try_detector(detector, time.monotonic() - began_s)
        finally:
            detector.close()
    return (
        f"{describe_detector(trial.info)}; loaded in {trial.load_s:.1f} s; "
        f"found {trial.words} in a photograph of 4 people and a bus, in {trial.median_ms:.0f} ms"
    )
