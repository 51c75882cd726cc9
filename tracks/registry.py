"""What can be chosen by name: models and profiles from models.toml, back ends as "module:attr" strings.

A back end is imported when it is chosen, so torch costs nothing on a machine that never needs it. A name that is not
known is an error that says which are; a back end that cannot be imported is an error too, never a gap in the list.
"""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from .errors import InvalidRequest, ModelUnavailable, NotFound
from .silence import silence_libraries

BUNDLED = Path(__file__).with_name("models.toml")
"""The registry that ships in the package."""

DETECTORS: Mapping[str, str] = {
    "openvino": "tracks.detect.openvino:load",
    "onnxruntime": "tracks.detect.onnx:load",
    "torch": "tracks.detect.pytorch:load",
}
"""Detector back ends by runtime; each is called with (Weights, Options) and gives a `Detector`. Blocking."""

TRACKERS: Mapping[str, str] = {"bytetrack": "tracks.track.bytetrack:ByteTrack"}
"""Trackers by name; each is called with TrackOptions and gives a `Tracker`."""

SOURCES: Mapping[str, str] = {
    "demo": "tracks.sources.demo:open_demo",
    "upload": "tracks.sources.file:open_file",
    "rtsp": "tracks.sources.rtsp:open_camera",
}
"""Sources that the server opens itself, by kind; each is awaited and gives an open `Source`. An upload is told `path`,
what is wanted of it (`video`, `audio`), and the session's `stats`; a camera its `Target`, `audio` and `stats`."""

RECOGNISERS: Mapping[str, str] = {
    "faster-whisper": "tracks.asr.faster_whisper:load",
    "pocketsphinx": "tracks.asr.pocketsphinx:load",
    "openai": "tracks.asr.openai:load",
}
"""Recognisers of speech by engine; each is called with (ModelSpec, tracks.asr.options.Options) and gives an `Asr`.
Blocking."""

Task = Literal["detect", "asr", "vad"]
Overlay = Literal["smooth", "exact"]
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": ("detect", "asr", "vad"),
    "overlay": ("smooth", "exact"),
    "runtime": ("auto", "cuda", "mps", "openvino", "onnxruntime", "torch"),
    "engine": ("", "faster-whisper", "pocketsphinx", "openai"),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of the registry: a file or a name of the hub."""

    name: str
    task: Task
    file: Path | None = None
    """Absolute path of a file, or of the folder of an OpenVINO or CTranslate2 model."""
    hub: str | None = None
    """Name of an ultralytics asset, such as `yolo26n.pt`; of a repository of Hugging Face's hub for faster-whisper; of
    a model of the endpoint for openai."""
    fetch: bool = False
    """Whether the hub may be asked for it when it is chosen."""
    sha256: str | None = None
    runtime: str = "auto"
    input_size: int = 640
    """Pixels of the input's longer side, unless the model's shape is fixed."""
    licence: str = "unknown"
    labels: tuple[str, ...] = ()
    url: str | None = None
    bundled: bool = False
    """True for the weights that ship in the package, or in a package that it needs: what runs when nothing else can."""
    engine: str = ""
    """Of recognisers: a name in `RECOGNISERS`."""
    language: str = ""
    """Of recognisers: the ISO 639-1 code of what is spoken; empty: the engine finds out."""
    compute: str = "auto"
    """Of faster-whisper: int8, float16, ..., as CTranslate2 names them; `auto`: what suits the device."""
    prompt: str = ""
    """Of recognisers: text that sets style and spelling."""
    hotwords: str = ""
    """Of faster-whisper: words to expect."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a session watches."""

    name: str
    detector: str
    """A model's name, or `auto`."""
    input_size: int
    """Pixels of the input's longer side; 0: the model's own."""
    confidence: float
    """Boxes below it are not shown and make no events."""
    overlay: Overlay
    max_rate_hz: float
    """Detections per second; 0: no limit."""
    force_cpu: bool


Entry = TypeVar("Entry", ModelSpec, Profile)


@dataclass(frozen=True, slots=True)
class Registry:
    """The models and profiles of one start."""

    models: Mapping[str, ModelSpec]
    profiles: Mapping[str, Profile]

    @classmethod
    def load(cls, *paths: Path | None) -> Registry:
        """The bundled registry with the entries of `paths` merged over it, the last one on top. Reads small files.

        Raises InvalidRequest, naming file, entry and choices, when the file cannot be read or says something unknown.
        """
        models: dict[str, ModelSpec] = {}
        profiles: dict[str, Profile] = {}
        for source in (BUNDLED, *(path for path in paths if path is not None)):
            document = _read(source)
            for name, values in _table(document, "models", source).items():
                models[name] = _model(name, values, source)
            for name, values in _table(document, "profiles", source).items():
                profiles[name] = _entry(Profile, name, values, source)
        return cls(models, profiles)

    def model(self, name: str, task: Task = "detect") -> ModelSpec:
        """The model of that name and task; raises NotFound, naming those there are."""
        spec = self.models.get(name)
        if spec is None or spec.task != task:
            have = sorted(each.name for each in self.models.values() if each.task == task)
            raise NotFound(f"unknown {task} model {name!r}, have: {', '.join(have)}")
        return spec

    def profile(self, name: str, *, gpu: bool = False, force_cpu: bool = False) -> Profile:
        """The profile of that name; `auto` is `cpu-only` when the CPU is forced, `accurate` with a GPU, else `fast`.

        Raises NotFound, naming those there are.
        """
        if name == "auto":
            name = "cpu-only" if force_cpu else "accurate" if gpu else "fast"
        profile = self.profiles.get(name)
        if profile is None:
            raise NotFound(f"unknown profile {name!r}, have: {', '.join(sorted((*self.profiles, 'auto')))}")
        return profile

    @property
    def bundled_detector(self) -> ModelSpec:
        """The detector that ships in the package, always from the bundled file: no merged entry can hide it."""
        document = _read(BUNDLED)
        for name, values in _table(document, "models", BUNDLED).items():
            if values.get("bundled") and values.get("task") == "detect":
                return _model(name, values, BUNDLED)
        raise ModelUnavailable("the package has no bundled detector")

    @property
    def bundled_recogniser(self) -> ModelSpec:
        """The recogniser that is always there, always from the bundled file."""
        for name, values in _table(_read(BUNDLED), "models", BUNDLED).items():
            if values.get("bundled") and values.get("task") == "asr":
                return _model(name, values, BUNDLED)
        raise ModelUnavailable("the package has no bundled recogniser")


def resolve(target: str) -> Any:
    """Import what "module:attr" names. May import something big: not on the event loop.

    Raises ModelUnavailable, naming the target, when it cannot be imported.
    """
    silence_libraries()  # some back ends import libraries that report to their makers
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelUnavailable(f"back end {target!r} cannot be imported: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        # What a program writes is JSON: the standard library writes no TOML.
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"model registry {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"model registry {path} must hold tables")
    unknown = sorted(document.keys() - {"models", "profiles"})
    if unknown:
        raise InvalidRequest(f"model registry {path}: unknown table {unknown[0]!r}, have: models, profiles")
    return document


def _table(document: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Mapping[str, Any]]:
    table = document.get(key, {})
    if not isinstance(table, dict) or not all(isinstance(values, dict) for values in table.values()):
        raise InvalidRequest(f"model registry {path}: {key} must hold one table per name")
    return table


def _model(name: str, values: Mapping[str, Any], path: Path) -> ModelSpec:
    """A model entry; a relative `file` is taken from the registry's folder and may not leave it."""
    values = dict(values)
    where = f"model registry {path}: model {name!r}"
    if isinstance(values.get("file"), str):
        folder = path.parent.resolve()
        file = (folder / values["file"]).resolve()
        if not Path(values["file"]).is_absolute() and not file.is_relative_to(folder):
            raise InvalidRequest(
                f"{where}: file {values['file']!r} leaves the registry's folder; give an absolute path"
            )
        values["file"] = file
    if isinstance(values.get("labels"), list):
        values["labels"] = tuple(values["labels"])
    spec = _entry(ModelSpec, name, values, path)
    if (spec.task == "asr") != (spec.engine != ""):
        raise InvalidRequest(f"{where}: task asr and only it needs an engine, have: {', '.join(RECOGNISERS)}")
    if spec.engine == "pocketsphinx":
        if spec.file is not None or spec.hub is not None:
            raise InvalidRequest(f"{where}: pocketsphinx has its model in its package: neither file nor hub")
    elif (spec.file is None) == (spec.hub is None):
        raise InvalidRequest(f"{where} needs either file or hub")
    elif spec.engine == "openai" and spec.hub is None:
        raise InvalidRequest(f"{where}: openai needs hub, the name of a model of the endpoint")
    if spec.sha256 is not None and not _SHA256.fullmatch(spec.sha256):
        raise InvalidRequest(f"{where}: sha256 {spec.sha256!r} is not 64 hexadecimal digits in lower case")
    return spec


def _entry(kind: type[Entry], name: str, values: Mapping[str, Any], path: Path) -> Entry:
    """One dataclass of a table: no unknown key, none missing, every value of its type and among its choices."""
    where = f"model registry {path}: {kind.__name__} {name!r}"
    known = {each.name: each for each in fields(kind) if each.name != "name"}
    for key in values:
        if key not in known:
            raise InvalidRequest(f"{where}: unknown key {key!r}, have: {', '.join(known)}")
    missing = [key for key, each in known.items() if key not in values and each.default is MISSING]
    if missing:
        raise InvalidRequest(f"{where}: missing {', '.join(missing)}")
    for key, value in values.items():
        if key in _CHOICES and value not in _CHOICES[key]:
            raise InvalidRequest(f"{where}: unknown {key} {value!r}, have: {', '.join(_CHOICES[key])}")
        expected = _TYPES[key]
        if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
            raise InvalidRequest(f"{where}: {key} must be {' or '.join(t.__name__ for t in expected)}, got {value!r}")
        if isinstance(value, int | float) and value < 0:
            raise InvalidRequest(f"{where}: {key} must not be negative, got {value!r}")
    return kind(name, **cast(dict[str, Any], values))


_TYPES: Mapping[str, tuple[type, ...]] = {
    "task": (str,),
    "file": (Path,),
    "hub": (str,),
    "fetch": (bool,),
    "sha256": (str,),
    "runtime": (str,),
    "input_size": (int,),
    "licence": (str,),
    "labels": (tuple,),
    "url": (str,),
    "bundled": (bool,),
    "detector": (str,),
    "confidence": (float, int),
    "overlay": (str,),
    "max_rate_hz": (float, int),
    "force_cpu": (bool,),
    "engine": (str,),
    "language": (str,),
    "compute": (str,),
    "prompt": (str,),
    "hotwords": (str,),
}
