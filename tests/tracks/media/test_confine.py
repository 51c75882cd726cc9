"""What is left to the child once it is confined: asked of a real process, by trying."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from pathlib import Path

import pytest

from tracks.media import process
from tracks.media.limits import MIB, Limits
from tracks.media.process import missing_limits

TRY = """
import os, resource, socket, sys
from tracks.media import confine
from tracks.media.limits import Limits
missing = confine.limit(Limits(memory_bytes=300 * 1024 * 1024), {parent}) + confine.seal()
def attempt():
    {attempt}
try:
    print([missing, attempt()])
except BaseException as error:
    print([missing, type(error).__name__])
"""


async def tried(attempt: str) -> tuple[list[str], object]:
    """(limits that are missing here, what the attempt returned or the name of what it raised)."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TRY.format(attempt=attempt, parent=os.getpid())),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(process.ROOT)},
    )
    out, _ = await child.communicate()
    missing, result = ast.literal_eval(out.decode())
    return missing, result


async def test_nothing_can_be_opened(tmp_path: Path) -> None:
    """No file, no socket and no pipe."""
    (tmp_path / "secret").write_text("x")
    assert (await tried(f"return open({str(tmp_path / 'secret')!r}).read()"))[1] in ("OSError", "PermissionError")
    assert (await tried("return socket.socket().fileno()"))[1] == "OSError"
    assert (await tried("return os.pipe()"))[1] == "OSError"


@pytest.mark.parametrize("attempt", ["os.unlink({0!r})", "os.rename({0!r}, {0!r} + '2')", "os.truncate({0!r}, 0)"])
async def test_nothing_can_be_changed(tmp_path: Path, attempt: str) -> None:
    """Files cannot be removed, renamed or emptied, where the kernel has Landlock."""
    path = tmp_path / "precious"
    path.write_text("x")
    missing, result = await tried(attempt.format(str(path)))
    if "files" in missing:
        pytest.skip("this kernel has no Landlock")
    assert result == "PermissionError"
    assert path.read_text() == "x"


async def test_no_other_program_can_be_run() -> None:
    """Not by exec, where the kernel has Landlock; never with its privileges."""
    missing, result = await tried("os.execv('/bin/true', ['true'])")
    if "files" in missing:
        pytest.skip("this kernel has no Landlock")
    assert result == "PermissionError"


async def test_memory_is_bounded() -> None:
    """More than the cap is a MemoryError in the child, where the system bounds address space."""
    missing, result = await tried(f"return len(bytearray({400 * MIB}))")
    assert result == "MemoryError" or "memory" in missing


@pytest.mark.parametrize(
    ("limit", "value"), [("CPU", Limits().cpu_s), ("FSIZE", 0), ("CORE", 0), ("NOFILE", 3), ("AS", 300 * MIB)]
)
async def test_resources_are_bounded(limit: str, value: int) -> None:
    """Processor time, files written, core dumps, descriptors and memory are limited by the kernel."""
    missing, result = await tried(f"return resource.getrlimit(resource.RLIMIT_{limit})[0]")
    assert result == value or (limit == "AS" and "memory" in missing)


async def test_no_privileges_can_be_gained() -> None:
    """The kernel says so (PR_GET_NO_NEW_PRIVS)."""
    missing, result = await tried("return confine.ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)")
    assert result == 1 or "privileges" in missing


async def test_what_is_missing_is_told_by_name() -> None:
    """Everything holds here, or what does not is named."""
    missing = await missing_limits(Limits())
    assert set(missing) <= {"memory", "privileges", "files", "descriptors"}
    assert "descriptors" not in missing
    if sys.platform == "linux":
        assert not {"memory", "privileges"} & set(missing)
