"""The processes of a benchmark: servers that are up when they answer, clients that tell where they are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.2


class Failed(Exception):
    """A process of the benchmark did not do its part; the message says which and where its log is."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def process(args: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """`python -m ARGS` with stdin and stdout piped and stderr in `log`; at the end it is told to end, then killed."""
    with log.open("wb") as errors:
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *args, cwd=ROOT, env=_environment(env), stdin=PIPE, stdout=PIPE, stderr=errors
        )
        try:
            yield started
        finally:
            await _stop(started)


@contextlib.asynccontextmanager
async def server(
    args: Sequence[str], url: str, ready: str, log: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A server process that answers `ready` with 200. Raises Failed when it ends or stays silent."""
    with log.open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *args, cwd=ROOT, env=_environment(env), stdin=DEVNULL, stdout=output, stderr=STDOUT
        )
        try:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await _until_ready(started, url + ready)
            except (TimeoutError, Failed) as error:
                raise Failed(f"{args[0]} did not start, see {log}") from error
            yield started
        finally:
            await _stop(started)


async def word(child: Process, expected: str, log: Path) -> None:
    """Wait until the child says this word on its stdout. Raises Failed when it ends or says another."""
    assert child.stdout is not None
    line = (await child.stdout.readline()).decode().strip()
    if line != expected:
        if not line:
            await child.wait()
        raise Failed(f"expected {expected!r} of the client, got {line!r}: {_last_line(log)}, see {log}")


async def finish(child: Process, log: Path) -> None:
    """Close the child's stdin, which tells it to end, and wait. Raises Failed when it fails."""
    assert child.stdin is not None
    child.stdin.close()
    if await child.wait():
        raise Failed(f"the client ended with {child.returncode}: {_last_line(log)}, see {log}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"


async def _until_ready(child: Process, url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while child.returncode is None:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(POLL_S)
    raise Failed(f"it ended with {child.returncode}")


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """This environment without the settings that an operator may have made for a server of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VEDETTE_")}
    return {**kept, "YOLO_AUTOINSTALL": "False", **(extra or {})}


async def _stop(child: Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
