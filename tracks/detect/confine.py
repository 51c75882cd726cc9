"""Keep libraries to what they are here for: no installs, no traffic, no code out of checkpoints, no stray files.

Sources: ultralytics 8.4 `utils/__init__.py` (its variables are read once, when it is imported); OpenVINO 2026.4
`tools/ovc/telemetry_utils.py`.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any


def environment(cache_dir: Path) -> dict[str, str]:
    """The variables under which ultralytics may be imported."""
    return {
        "YOLO_AUTOINSTALL": "False",
        "YOLO_OFFLINE": "True",  # no version check, no analytics, no downloads
        "YOLO_VERBOSE": "False",
        "YOLO_CONFIG_DIR": str(cache_dir),
        "ULTRALYTICS_SAFE_LOAD": "True",
    }


def silence_openvino() -> None:
    """Have OpenVINO report to nobody; call before anything imports it.

    Its import sends an event to Google Analytics, without asking. It has no switch for that but a file in the user's
    home directory; where the package that does it cannot be imported, a stub of its own takes its place.
    """
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def openvino() -> Any:
    """OpenVINO's module, imported without a report to anybody. May take a second: not on the event loop."""
    silence_openvino()
    return importlib.import_module("openvino")


def confine_ultralytics(cache_dir: Path) -> None:
    """Set them for this process; call before anything imports ultralytics, so before the first session.

    Where it is imported already, what it read then is set right; only its settings file stays where it was made.
    """
    silence_openvino()  # its exports are made by OpenVINO's own tools
    cache_dir.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment(cache_dir))
    for name, attributes in {
        "ultralytics.utils": {"AUTOINSTALL": False, "ONLINE": False, "SAFE_LOAD": True},
        "ultralytics.utils.checks": {"AUTOINSTALL": False, "ONLINE": False},
        "ultralytics.nn.tasks": {"SAFE_LOAD": True},
    }.items():
        module = sys.modules.get(name)
        for attribute, value in attributes.items():
            if module is not None and hasattr(module, attribute):
                setattr(module, attribute, value)
