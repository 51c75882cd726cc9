"""What a newcomer does first: clone, `make run`, open the page, start the demo; then the same without a network."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.first_look import REPOSITORY

TIMEOUT_S = 1800
pytestmark = pytest.mark.timeout(TIMEOUT_S)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this checkout that git knows or would add, and nothing that was built from them."""
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: what a clone would hold is not known")
    if shutil.which("make") is None or shutil.which("npm") is None:
        pytest.skip("no make or no npm on this machine: a newcomer would have no page either")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    return folder


async def run(clone: Path, chromium: str, pictures: Path, *prefix: str, cut: bool = False) -> dict[str, Any]:
    """What the newcomer saw."""
    program = [sys.executable, "-m", "tests.e2e.first_look", str(clone), chromium, str(pictures)]
    process = await asyncio.create_subprocess_exec(
        *prefix,
        *program,
        *(["--cut"] if cut else []),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(out)
    print(json.dumps({name: value for name, value in seen.items() if name != "objects"}, indent=1))
    return seen


def check(seen: dict[str, Any]) -> None:
    """People came and went, with their pictures, and the picture moved all the while."""
    assert seen["problems"] == []
    entered = [event for event in seen["objects"] if event["phase"] == "entered"]
    left = [event for event in seen["objects"] if event["phase"] == "left"]
    assert {event["label"] for event in seen["objects"]} == {"person"}
    assert len({event["trackId"] for event in entered}) >= 3
    assert {event["trackId"] for event in left} <= {event["trackId"] for event in entered}
    assert all(event["thumbnail"] for event in entered)
    assert seen["thumbnails"] >= 1
    assert seen["fps"] >= 20


async def test_from_a_clone_to_the_annotated_demo(clone: Path, chromium: str, tmp_path: Path) -> None:
    """`make run` in an empty environment does all the set-up; one click later people are seen, named and pictured."""
    check(await run(clone, chromium, tmp_path))


async def test_without_a_network_nothing_is_missing(clone: Path, chromium: str, tmp_path: Path) -> None:
    """The next start needs nobody, and nothing so much as tries to reach anybody."""
    if not (clone / ".venv").exists():
        pytest.skip("the clone was not set up (see the test before)")
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("cutting the network needs Linux, root, unshare and ip (iproute2)")
    seen = await run(clone, chromium, tmp_path, "unshare", "--net", cut=True)
    check(seen)
    assert seen["left"] == []
