"""Programs that are killed in the midst of what they do, and what they had told by then."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


async def told_until_killed(program: str, *arguments: Path | str, lines: int) -> list[list[str]]:
    """The words of each whole line that a Python program printed before `kill -9`, sent after so many lines."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *map(str, arguments)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -signal.SIGKILL
    return [line.decode().split() for line in told if line.endswith(b"\n")]
