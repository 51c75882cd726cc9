"""Libraries that report to their makers, kept from it: they do so by default, without asking.

OpenVINO 2026.4 sends an event to Google Analytics when it is imported (`tools/ovc/telemetry_utils.py`). It has no
switch for that but a file in the user's home; where the package that does it cannot be imported, a stub of its own
takes its place. ONNX Runtime 1.31 sends what it runs to Microsoft some seconds after it made a session
(`core/platform/telemetry_1ds.cc`); its `disable_telemetry_events` comes too late for that, a variable that is set
before it is imported does not.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

VARIABLES = {"ORT_DISABLE_TELEMETRY": "1"}
"""For this process and for those that it starts."""


def silence_libraries() -> None:
    """Call before anything imports one of them; again does no harm."""
    os.environ.update(VARIABLES)
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def openvino() -> Any:
    """OpenVINO's module, silent. May take a second: not on the event loop."""
    silence_libraries()
    return importlib.import_module("openvino")


def onnxruntime() -> Any:
    """ONNX Runtime's module, silent. Takes 0.1 s."""
    silence_libraries()
    return importlib.import_module("onnxruntime")
