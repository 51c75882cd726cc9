"""Files of weights: what they are, their hash, and the refusal of those that are not what they should be."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ModelUnavailable

Format = Literal["pt", "onnx", "openvino"]
_BLOCK_BYTES = 1 << 20


class WeightsRefused(ModelUnavailable):
    """These weights must not be loaded on any runtime: hostile, damaged, or not the ones the registry means."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights whose hash has been taken, and compared where one was expected."""

    name: str
    path: Path
    """A .pt or .onnx file, or the .xml file of an OpenVINO model."""
    format: Format
    sha256: str
    labels: tuple[str, ...] = ()
    """From the registry; empty: those that the model itself carries."""


def verified(path: Path, name: str, sha256: str | None = None, labels: tuple[str, ...] = ()) -> Weights:
    """Weights at `path` (a file, or the folder of an OpenVINO or ONNX model), hashed before anything parses them.

    Blocking. Raises ModelUnavailable when there is nothing, WeightsRefused when it is no model or has another hash.
    """
    if not path.exists():
        raise ModelUnavailable(f"weights {path} do not exist")
    found = _main_file(path)
    try:
        actual = digest(found)
    except OSError as error:
        raise ModelUnavailable(f"weights {found} cannot be read: {error.strerror}") from error
    if sha256 is not None and actual != sha256:
        raise WeightsRefused(f"weights {found} have sha256 {actual}, expected {sha256}: not loaded")
    if found.suffix == ".pt" and not zipfile.is_zipfile(found):
        raise WeightsRefused(f"weights {found} are truncated or no PyTorch checkpoint: not loaded")
    formats: dict[str, Format] = {".pt": "pt", ".onnx": "onnx", ".xml": "openvino"}
    return Weights(name, found, formats[found.suffix], actual, labels)


def digest(path: Path) -> str:
    """sha256 of a file; of an OpenVINO model's .xml: of what `sha256sum NAME.bin NAME.xml` prints in its folder."""
    if path.suffix != ".xml":
        return _file_digest(path)
    lines = (f"{_file_digest(each)}  {each.name}\n" for each in (path.with_suffix(".bin"), path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            sha256.update(block)
    return sha256.hexdigest()


def _main_file(path: Path) -> Path:
    """The file to load: the path itself, or the one model that its folder holds."""
    if path.is_file():
        found = path
    else:
        models = sorted((*path.glob("*.xml"), *path.glob("*.onnx")))
        if len(models) != 1:
            raise WeightsRefused(f"{path} holds {len(models)} models, expected one .xml with .bin, or one .onnx")
        found = models[0]
    if found.suffix not in (".pt", ".onnx", ".xml"):
        raise WeightsRefused(f"{path} is no model: expected .pt, .onnx or the folder of an OpenVINO or ONNX model")
    if found.suffix == ".xml" and not found.with_suffix(".bin").is_file():
        raise WeightsRefused(f"OpenVINO model {found} has no {found.with_suffix('.bin').name} beside it")
    return found
