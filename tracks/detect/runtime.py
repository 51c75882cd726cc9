"""Which runtime a model runs on here, and why."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidRequest, ModelUnavailable
from ..silence import onnxruntime
from .weights import Format

RUNTIMES = ("auto", "cuda", "mps", "openvino", "onnxruntime", "torch")
_FORMATS: dict[Format, tuple[str, ...]] = {
    "pt": ("cuda", "mps", "openvino", "onnxruntime", "torch"),
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """A back end (a key of `registry.DETECTORS`) on a device."""

    name: str
    backend: str
    device: str
    reason: str


def runtimes(wanted: str, format: Format, *, force_cpu: bool) -> Iterator[Runtime]:
    """The runtimes to try for weights of a format, best first; one when a certain one is wanted.

    Order: CUDA, MPS, OpenVINO (x86 CPUs), ONNX Runtime, torch; `force_cpu` wins over a wanted GPU. May import torch,
    but only where there is a GPU driver. Raises InvalidRequest for an unknown name, ModelUnavailable when none runs.
    """
    if wanted not in RUNTIMES:
        raise InvalidRequest(f"unknown runtime {wanted!r}, have: {', '.join(RUNTIMES)}")
    forced = force_cpu and wanted in ("cuda", "mps")
    names = _FORMATS[format] if wanted == "auto" or forced else (wanted,)
    if names == (wanted,) and wanted not in _FORMATS[format]:
        raise ModelUnavailable(f"{format} weights do not run on {wanted!r}, have: {', '.join(_FORMATS[format])}")
    why_not = []
    found = False
    for name in names:
        missing = "the CPU is forced" if force_cpu and name in ("cuda", "mps") else _missing(name)
        if missing:
            why_not.append(f"{name}: {missing}")
            continue
        found = True
        device = name if name in ("cuda", "mps") else "cpu"
        if name == "onnxruntime" and not force_cpu and _onnx_cuda():
            device = "cuda"
        chosen = f"{name} was asked for" if wanted == name else f"{name} is the first that runs here"
        reason = "; ".join((chosen, *why_not)) if wanted != name else chosen
        yield Runtime(name, "torch" if device == name else name, device, reason)
        why_not.append(f"{name}: failed")
    if not found:
        raise ModelUnavailable(f"no runtime for {format} weights: {'; '.join(why_not)}")


def has_gpu() -> bool:
    """Whether torch has a GPU to run on. Imports torch only where there is a driver. Blocking."""
    return not _missing("cuda") or not _missing("mps")


def _missing(name: str) -> str:
    """Why this runtime cannot run here, or nothing."""
    match name:
        case "cuda":
            return "" if _cuda() else "no NVIDIA GPU"
        case "mps":
            return "" if _mps() else "no Apple GPU"
        case "openvino":
            if platform.machine().lower() not in ("x86_64", "amd64"):
                return f"not on {platform.machine()}"
            return "" if importlib.util.find_spec("openvino") else "not installed"
        case _:
            return "" if importlib.util.find_spec(name) else "not installed"


def _cuda() -> bool:
    # Importing torch takes 2.5 s and 200 MB: only where it can pay.
    driver = any(Path(each).exists() for each in ("/dev/nvidiactl", "/dev/dxg")) or platform.system() == "Windows"
    if not driver or not importlib.util.find_spec("torch") or "+cpu" in importlib.metadata.version("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def _mps() -> bool:
    if platform.system() != "Darwin" or platform.machine() != "arm64" or not importlib.util.find_spec("torch"):
        return False
    import torch

    return torch.backends.mps.is_available()


def _onnx_cuda() -> bool:
    if not Path("/dev/nvidiactl").exists():
        return False
    return "CUDAExecutionProvider" in onnxruntime().get_available_providers()
