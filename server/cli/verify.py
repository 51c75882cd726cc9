"""Whether a model is what it should be, and whether it works."""

from __future__ import annotations

import base64
import importlib.metadata
import time
from pathlib import Path

from rich.console import Console

from tracks.asr.load import load_recogniser
from tracks.asr.weights import complete
from tracks.detect.confine import confine_ultralytics
from tracks.detect.load import load_detector
from tracks.detect.weights import digest, verified
from tracks.errors import ModelUnavailable
from tracks.registry import Registry

from ..engines import default_threads
from ..inventory import Entry
from ..inventory_asr import PACKAGE
from ..recognisers import endpoint_of
from ..settings import Settings
from .quiet import quiet_logs
from .trial import try_detector
from .trial_asr import try_recogniser
from .words import describe_detector


def check(entry: Entry) -> str:
    """What its hash was compared with, in words. Blocking. Raises ModelUnavailable when it is not what it should be."""
    if entry.place == "elsewhere":
        return "it runs elsewhere: nothing of it is here to compare"
    if not entry.here and entry.hub is not None:
        raise ModelUnavailable(f"it is not here; `vedette models pull {entry.name}` fetches it")
    if entry.engine == "pocketsphinx":
        return _check_package()
    assert entry.path is not None  # what is somewhere has a path
    if entry.engine:
        sha256 = digest(complete(entry.path, entry.sha256) / "model.bin")
    else:
        sha256 = verified(entry.path, entry.name, entry.sha256).sha256
    if entry.sha256 is None:
        return f"sha256 {sha256}, with nothing to compare it with"
    return f"sha256 {sha256[:12]}… is right"


def _check_package() -> str:
    """Compare pocketsphinx's model with the hashes that its wheel has of its own files."""
    try:
        files = importlib.metadata.files(PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        raise ModelUnavailable(f"the package {PACKAGE} is not installed") from None
    hashed = [(file, file.hash.value) for file in files if file.hash and file.parts[:2] == (PACKAGE, "model")]
    for file, expected in hashed:
        try:
            actual = digest(Path(str(file.locate())))
        except OSError as error:
            raise ModelUnavailable(f"{file} of the package {PACKAGE} cannot be read: {error.strerror}") from error
        if base64.urlsafe_b64encode(bytes.fromhex(actual)).decode().rstrip("=") != expected:
            raise ModelUnavailable(f"{file} of the package {PACKAGE} is not what it was installed with")
    if not hashed:
        raise ModelUnavailable(f"the package {PACKAGE} has no model")
    return f"{len(hashed)} files are as the package {PACKAGE} has them"


def try_loading(entry: Entry, settings: Settings, registry: Registry, errors: Console) -> str:
    """Load it as the server would, use it once, and say how that went. Blocking, for seconds to a minute.

    Raises ModelUnavailable when it does not load, and what using it raises; nothing is tried in its place.
    """
    return (_try_recogniser if entry.task == "asr" else _try_detector)(entry, settings, registry, errors)


def _try_recogniser(entry: Entry, settings: Settings, registry: Registry, errors: Console) -> str:
    began_s = time.monotonic()
    with quiet_logs():
        asr = load_recogniser(
            entry.name,
            registry=registry,
            data_dir=settings.data_dir,
            report=errors.print,
            force_cpu=settings.force_cpu,
            threads=settings.asr_threads,
            endpoint=endpoint_of(settings),
            fallback=False,
        )
        try:
            return try_recogniser(asr, time.monotonic() - began_s).words
        finally:
            asr.close()


def _try_detector(entry: Entry, settings: Settings, registry: Registry, errors: Console) -> str:
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
