from __future__ import annotations

import subprocess
import sys

NAMES_ASKED = """
import socket, sys, threading
asked = []
real = socket.getaddrinfo
def note(host, *rest, **options):
    asked.append(host)
    raise OSError("nobody is asked here")
socket.getaddrinfo = note
from tracks.detect.confine import openvino
openvino().Core()
import openvino.tools.ovc
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(5)
print(asked)
"""


def test_openvino_reports_to_nobody() -> None:
    """Neither its import nor that of its converter, which by itself tells Google Analytics, asks for any name."""
    done = subprocess.run([sys.executable, "-c", NAMES_ASKED], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
