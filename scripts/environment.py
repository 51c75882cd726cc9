"""The virtual environment: made once, installed again only when the project's metadata or pins change."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from .console import StepFailed, Steps

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA."""

PROBE_TIMEOUT_S = 4


class Environment:
    """One virtual environment and the stamp that says what was installed into it."""

    def __init__(self, root: Path, folder: Path, torch_index: str) -> None:
        self._root = root
        self._folder = folder
        self._torch_index = torch_index
        self.python = folder / "bin" / "python"
        self.log = folder / "install.log"
        self._stamp = folder / "vedette-installed.json"

    def make(self, steps: Steps) -> None:
        """Step: make the environment where there is none. Raises StepFailed when this Python cannot."""
        if self.up_to_date(frozenset()) or self._works():
            steps.say(f"virtual environment in {self._shown()}", "is there")
            return
        if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
            raise StepFailed(
                f"{sys.executable} has no venv module, which makes virtual environments.\n"
                "On Debian and Ubuntu: apt install python3-venv"
            )
        if (self._folder / "pyvenv.cfg").exists():  # its Python has gone: nothing in it can run any more
            shutil.rmtree(self._folder)
        steps.run(f"virtual environment in {self._shown()}", [sys.executable, "-m", "venv", str(self._folder)])

    def install(self, steps: Steps, extras: frozenset[str]) -> None:
        """Step: install the project, its dependencies and the given extras, unless they are already there."""
        if self.up_to_date(extras):
            steps.say("Python packages", "up to date")
            return
        wanted = sorted(extras | (self._installed() or frozenset()))
        # --no-compile: pip would compile all that it installs, which takes half the time, and most of it is never
        # imported; Python compiles what is, and keeps it.
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]
        pinned = ["-c", "constraints.txt"]
        commands = [[*pip, *pinned, "setuptools"]]
        index = "" if self._has_torch() else self._index(steps)
        if index:
            commands.append([*pip, *pinned, "--no-deps", "--index-url", index, "torch", "torchvision"])
        project = f".[{','.join(wanted)}]" if wanted else "."
        commands.append([*pip, *pinned, "--no-build-isolation", "-e", project])
        commands.append([str(self.python), "-m", "scripts.opencv"])
        steps.run("Python packages (the first time takes minutes)", *commands, cwd=self._root)
        self._stamp.write_text(json.dumps({"key": self._key(), "extras": wanted}))

    def up_to_date(self, extras: frozenset[str]) -> bool:
        """Whether everything is installed, with these extras and today's metadata and pins."""
        installed = self._installed()
        return installed is not None and extras <= installed and self.python.exists()

    def _works(self) -> bool:
        try:
            run = subprocess.run([self.python, "-m", "pip", "--version"], capture_output=True, check=False)
        except OSError:
            return False
        return run.returncode == 0

    def _installed(self) -> frozenset[str] | None:
        """The extras that were installed with today's metadata and pins, or None."""
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return None
        return frozenset(stamp["extras"]) if stamp.get("key") == self._key() else None

    def _key(self) -> str:
        digest = hashlib.sha256(f"{self._root} {self._torch_index}".encode())
        for name in ("pyproject.toml", "constraints.txt"):
            digest.update((self._root / name).read_bytes())
        return digest.hexdigest()

    def _has_torch(self) -> bool:
        pin = re.search(r"^torch==(\S+)", (self._root / "constraints.txt").read_text(), re.MULTILINE)
        assert pin is not None
        return any(self._folder.glob(f"lib/python*/site-packages/torch-{pin[1]}*.dist-info"))

    def _index(self, steps: Steps) -> str:
        """Where torch comes from: an index URL, or "" for pip's own.

        PyPI's torch for Linux brings about 3 GB of CUDA libraries along, so without an NVIDIA driver it comes from
        PyTorch's CPU index, if that can be reached.
        """
        if self._torch_index:
            return "" if self._torch_index == "default" else self._torch_index
        if sys.platform != "linux" or shutil.which("nvidia-smi") or os.path.exists("/proc/driver/nvidia"):
            return ""
        try:
            with urllib.request.urlopen(f"{TORCH_CPU_INDEX}/torch/", timeout=PROBE_TIMEOUT_S):
                steps.note(f"no NVIDIA driver here: torch comes from {TORCH_CPU_INDEX}")
                return TORCH_CPU_INDEX
        except OSError:
            steps.note(f"{TORCH_CPU_INDEX} cannot be reached: torch comes from pip's own index,")
            steps.note("where it may bring several GB of CUDA libraries (TORCH_INDEX=URL names another one)")
            return ""

    def _shown(self) -> str:
        return os.path.relpath(self._folder, self._root)
