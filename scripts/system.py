"""Programs that only the tests need and that pip cannot bring: a browser, GStreamer's RTSP server, and Postgres."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .console import StepFailed, Steps

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Debian's own Python: GStreamer's bindings are apt packages, which no virtual environment sees.
RTSP_SERVER_CHECK = [
    "/usr/bin/python3",
    "-c",
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer",
]

POSTGRES_OF_DEBIAN = "usr/lib/postgresql/*/bin/postgres"
"""Debian's servers are not in the PATH."""

APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::http::Timeout=20"]


def missing() -> dict[str, list[str]]:
    """What is not here, each with the apt packages that bring it."""
    lacking = {}
    if not any(shutil.which(name) for name in BROWSERS):
        lacking["Chromium"] = ["chromium"]
    try:
        has_rtsp_server = subprocess.run(RTSP_SERVER_CHECK, capture_output=True, check=False).returncode == 0
    except OSError:
        has_rtsp_server = False
    if not has_rtsp_server:
        lacking["GStreamer's RTSP server"] = ["gir1.2-gst-rtsp-server-1.0", "python3-gi"]
    if not shutil.which("postgres") and not any(Path("/").glob(POSTGRES_OF_DEBIAN)):
        lacking["Postgres"] = ["postgresql"]
    return lacking


def install(steps: Steps) -> None:
    """Step: install what is missing where apt and the rights to use it are there. Never fatal."""
    lacking = missing()
    if not lacking:
        steps.say("Chromium, GStreamer and Postgres", "are there")
        return
    packages = [package for group in lacking.values() for package in group]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        steps.say("Chromium, GStreamer and Postgres", f"missing: {', '.join(lacking)}")
        steps.note(f"where apt is: apt-get install {' '.join(packages)}")
        return
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        steps.run(
            f"{', '.join(lacking)} (apt-get)",
            [*APT, "update"],
            [*APT, "install", "--no-install-recommends", *packages],
            env=environment,
        )
    except StepFailed as failure:
        steps.note(str(failure))
        steps.note("the tests go on without")
