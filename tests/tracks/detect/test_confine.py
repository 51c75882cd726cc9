from __future__ import annotations

import subprocess
import sys

WHO_REPORTS = """
from tracks.detect.confine import openvino
openvino()
from openvino.tools.ovc import telemetry
print(type(telemetry).__module__)
"""


def test_openvino_reports_to_nobody() -> None:
    """Its import, which by itself tells Google Analytics, and its converter find a stub in place of what would."""
    done = subprocess.run([sys.executable, "-c", WHO_REPORTS], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
