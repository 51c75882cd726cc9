from __future__ import annotations

import subprocess
import sys

WHO_REPORTS = """
from tracks.silence import openvino
openvino()
from openvino.tools.ovc import telemetry
print(type(telemetry).__module__)
"""
# The library reads it as it is loaded, with C's getenv, and looks for it nowhere else.
WHAT_IT_READS = """
import ctypes, sys
import tracks.MODULE
assert "onnxruntime" not in sys.modules
from tracks.silence import onnxruntime
onnxruntime()
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(getenv(b"ORT_DISABLE_TELEMETRY"))
"""


def output(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_openvino_reports_to_nobody() -> None:
    """Its import, which by itself tells Google Analytics, and its converter find a stub in place of what would."""
    assert output(WHO_REPORTS) == "openvino.tools.ovc.telemetry_stub"


def test_onnx_runtime_reports_to_nobody() -> None:
    """It is imported when it is needed, and not before it was told not to tell Microsoft what it runs."""
    for module in ("vad.silero", "detect.onnx"):
        assert output(WHAT_IT_READS.replace("MODULE", module)) == "b'1'"
