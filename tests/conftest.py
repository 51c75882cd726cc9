"""Fixtures and checks that every test shares."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

LEAK_GRACE_S = 3.0
"""How long a thread or task that was told to stop may take to be gone."""

POOL_THREADS = ("asyncio_", "ThreadPoolExecutor", "pytest_timeout", "tqdm", "MainThread", "AnyIO worker thread")
"""Threads that a pool keeps on purpose."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real footage and weights that is not part of the project; without it the test is skipped."""
    folder = Path(os.environ.get("TEST_SHARED_DIR") or REPOSITORY.parent / "shared")
    if not (folder / "media").is_dir():
        pytest.skip(f"no shared test material at {folder} (TEST_SHARED_DIR names another folder)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome; without one the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium on this machine (`make test` installs it where apt can)")


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where servers in processes of their own keep exported detectors, for the whole test run."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=LEAK_GRACE_S)
    assert not left, f"tasks left behind: {sorted(str(task.get_coro()) for task in left)}"


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test ends with the tasks and threads it began with."""
    before = set(threading.enumerate())
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_no_task_left")
    yield
    deadline = time.monotonic() + LEAK_GRACE_S
    left = [t for t in threading.enumerate() if t not in before and not t.name.startswith(POOL_THREADS)]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    alive = sorted(thread.name for thread in left if thread.is_alive())
    assert not alive, f"threads left behind: {alive}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not run, and why."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        by_reason[reason.removeprefix("Skipped: ")].append(report.nodeid)
    if not by_reason:
        return
    terminalreporter.section("not run")
    for reason, tests in sorted(by_reason.items()):
        terminalreporter.write_line(f"{len(tests)} x {reason}")
        for name in sorted(tests):
            terminalreporter.write_line(f"    {name}")
