"""What `doctor` says of the machine, whatever the settings are."""

from __future__ import annotations

import asyncio
import importlib
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from ..health import Check, CheckResult
from .words import size_of

PACKAGES = (
    *("aiohttp", "aiortc", "av", "faster-whisper", "numpy", "onnxruntime", "openvino", "pocketsphinx", "silero-vad"),
    *("tortoise-orm", "torch", "ultralytics"),
)
"""Whose versions decide how media, models and data are treated."""
OPTIONAL = ("openvino",)
"""There is none for every processor."""
IMPORTED = ("av", "cv2", "aiortc")
"""Linked against libraries of the system: installed is not yet usable."""
DEVICES = Path("/dev")
NAMES = Path("/sys/class/video4linux")


def checks() -> list[Check]:
    """system, packages, cameras."""
    return [_check("system", _system), _check("packages", _packages), _check("cameras", _cameras)]


def _check(name: str, look: Callable[[], CheckResult]) -> Check:
    return Check(name, lambda: asyncio.to_thread(look))


def _system() -> CheckResult:
    memory_bytes = psutil.virtual_memory().total
    detail = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "memoryBytes": memory_bytes,
    }
    text = f"{detail['system']}, {detail['cores']} cores, {size_of(memory_bytes)} of memory, Python {detail['python']}"
    return CheckResult("ok", {"text": text, **detail})


def _packages() -> CheckResult:
    versions: dict[str, str] = {}
    problems = []
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            if name not in OPTIONAL:
                problems.append(f"{name} is not installed")
    for name in IMPORTED:
        try:
            importlib.import_module(name)
        except ImportError as error:  # of a shared library that is not there, too
            problems.append(f"{name} cannot be imported: {error}")
    detail = {"versions": versions}
    if problems:
        remedy = "`make run` installs everything; without make: pip install -c constraints.txt -e ."
        return CheckResult("failed", {"text": "; ".join(problems), "remedy": remedy, **detail})
    return CheckResult("ok", {"text": ", ".join(f"{name} {found}" for name, found in versions.items()), **detail})


def _cameras() -> CheckResult:
    found = []
    for device in sorted(DEVICES.glob("video*")):
        named = NAMES / device.name / "name"
        found.append({"device": str(device), "name": named.read_text("utf-8").strip() if named.is_file() else ""})
    if found:
        text = ", ".join(f"{each['device']} {each['name']}".strip() for each in found)
    else:
        text = "none is attached to this machine; the browser brings the camera of its own"
    return CheckResult("ok", {"text": text, "devices": found})
