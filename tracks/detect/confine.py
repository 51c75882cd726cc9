"""Keep ultralytics to what it is here for: no installs, no traffic, no code out of checkpoints, no stray files.

Source: ultralytics 8.4 `utils/__init__.py` (these variables are read once, when it is imported).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..silence import VARIABLES, silence_libraries


def environment(cache_dir: Path) -> dict[str, str]:
    """The variables under which ultralytics may be imported."""
    return {
        "YOLO_AUTOINSTALL": "False",
        "YOLO_OFFLINE": "True",  # no version check, no analytics, no downloads
        "YOLO_VERBOSE": "False",
        "YOLO_CONFIG_DIR": str(cache_dir),
        "ULTRALYTICS_SAFE_LOAD": "True",
        **VARIABLES,
    }


def confine_ultralytics(cache_dir: Path) -> None:
    """Set them for this process; call before anything imports ultralytics, so before the first session.

    Where it is imported already, what it read then is set right; only its settings file stays where it was made.
    """
    silence_libraries()  # it brings some that report
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
