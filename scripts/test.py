"""`make test`: prepares, runs every check, and ends with what passed, what failed and what was not run, and why."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from . import system
from .console import StepFailed, Steps
from .options import DEVELOPER_EXTRAS, ROOT, environment_from_arguments
from .page import QUIET, Page

PAGE_SCRIPTS = ("lint", "typecheck", "test", "size")
"""Scripts of web/package.json that are run where they exist."""

SUMS_UP = re.compile(r"\b(passed|failed|errors?|issues|formatted|skipped)\b", re.IGNORECASE)
"""The last such line of a tool is its summary."""


@dataclass
class Stage:
    """One check and how it went."""

    name: str
    passed: bool
    took_s: float
    summary: str


def main() -> None:
    """Run everything, even after a failure, and exit with 1 when anything failed."""
    environment = environment_from_arguments(__doc__)
    steps = Steps(4, environment.log)
    page = Page(ROOT)
    stages: list[Stage] = []
    not_run: list[str] = []
    try:
        environment.make(steps)
        environment.install(steps, DEVELOPER_EXTRAS)
        system.install(steps)
    except StepFailed as failure:
        sys.exit(str(failure))
    began = time.monotonic()
    page_missing = page.missing()
    try:
        page.build(steps)
    except StepFailed as failure:
        print(failure)
        stages.append(Stage("page: build", False, time.monotonic() - began, "see above"))
        page_missing = "it could not be built"
    if page_missing:
        not_run.append(f"the page's checks: {page_missing}")
    if lacking := system.missing():
        not_run.append(f"tests that need {' and '.join(lacking)}: not installed")

    tools = environment.python.parent
    report = environment.log.with_name("pytest.xml")
    stages += [
        _stage("ruff check", [tools / "ruff", "check", "."]),
        _stage("ruff format", [tools / "ruff", "format", "--check", "."]),
        _stage("mypy --strict", [tools / "mypy"]),
        _stage("pytest", [environment.python, "-m", "pytest", "-q", "--durations=10", f"--junitxml={report}"]),
    ]
    not_run += _skipped(report)
    if not page_missing:
        have = json.loads((ROOT / "web" / "package.json").read_text()).get("scripts", {})
        for name in PAGE_SCRIPTS:
            if name in have:
                stages.append(_stage(f"page: {name}", ["npm", "run", name], ROOT / "web"))
    _close(stages, not_run)


def _stage(name: str, command: list[str | Path], cwd: Path = ROOT) -> Stage:
    """Run a command, showing its output as it comes and keeping the line that sums it up."""
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    summary = ""
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **QUIET, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if SUMS_UP.search(line):
                summary = line.strip(" =\n")
    if process.returncode != 0:
        summary = summary or f"ended with {process.returncode}"
    return Stage(name, process.returncode == 0, time.monotonic() - began, summary)


def _skipped(report: Path) -> list[str]:
    """The skipped tests of pytest's report, counted by reason."""
    try:
        cases = ElementTree.parse(report).iter("skipped")
    except (OSError, ElementTree.ParseError):
        return []
    reasons = Counter(case.get("message", "no reason given") for case in cases)
    return [f"{count} test{'s' * (count > 1)}: {reason}" for reason, count in sorted(reasons.items())]


def _close(stages: list[Stage], not_run: list[str]) -> None:
    print("\n=== summary")
    for stage in stages:
        outcome = "passed" if stage.passed else "FAILED"
        print(f"{outcome}  {stage.name:<16} {stage.took_s:>5.0f} s   {stage.summary}".rstrip())
    for line in not_run:
        print(f"not run {line}")
    failed = [stage.name for stage in stages if not stage.passed]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print("everything that ran has passed" if not_run else "everything has passed")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nstopped")
