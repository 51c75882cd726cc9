"""The web page: built once with npm, and again only when its sources change."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from .console import Steps

NODE_AT_LEAST = 20

MADE = frozenset({"node_modules", ".next", "out", "test-results", "playwright-report", "coverage"})
MADE_FILES = frozenset({"next-env.d.ts", "tsconfig.tsbuildinfo"})
"""What npm and Next.js make themselves inside web/: no source."""

QUIET = {"NEXT_TELEMETRY_DISABLED": "1", "npm_config_fund": "false", "npm_config_audit": "false"}
"""Nothing is reported to anybody."""


class Page:
    """web/ and its stamps."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "web"
        self._modules_stamp = self._folder / "node_modules" / ".vedette-stamp"
        self._built_stamp = self._folder / "out" / ".stamp"

    def missing(self) -> str:
        """Why the page cannot be built here, or ""."""
        if not (self._folder / "package-lock.json").exists():
            return "web/package-lock.json is not there"
        if shutil.which("node") is None or shutil.which("npm") is None:
            return f"Node.js {NODE_AT_LEAST} or newer and npm are not installed (nodejs.org)"
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
        major = found.removeprefix("v").split(".")[0]
        if not major.isdigit() or int(major) < NODE_AT_LEAST:
            return f"Node.js is {found or 'broken'}, {NODE_AT_LEAST} or newer is needed (nodejs.org)"
        return ""

    def build(self, steps: Steps) -> None:
        """Step: install the page's packages and build it into web/out, where they are not up to date."""
        if reason := self.missing():
            steps.say("web page", f"not built: {reason}.")
            if (self._folder / "out" / "index.html").exists():
                steps.note("An earlier build is served as it is.")
            else:
                steps.note("The server starts without its console; everything else works.")
            return
        key = self._key()
        if _read(self._built_stamp) == key:
            steps.say("web page", "up to date")
            return
        commands = [["npm", "run", "build"]]
        lock = hashlib.sha256((self._folder / "package-lock.json").read_bytes()).hexdigest()
        if fresh := _read(self._modules_stamp) != lock:
            # --ignore-scripts: no package gets to run code of its own at installation.
            commands.insert(0, ["npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"])
        steps.run("web page", *commands, cwd=self._folder, env=QUIET)
        if fresh:
            self._modules_stamp.write_text(lock)
        self._built_stamp.write_text(key)

    def _key(self) -> str:
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(self._folder):
            folders[:] = sorted(set(folders) - MADE)
            for name in sorted(set(files) - MADE_FILES):
                path = Path(folder, name)
                digest.update(f"{path.relative_to(self._folder)}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()


def _read(stamp: Path) -> str:
    try:
        return stamp.read_text()
    except OSError:
        return ""
