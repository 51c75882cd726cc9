"""The server as a process: start, say where to look, and end cleanly on SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from tracks.errors import Conflict, VedetteError

from ..app import Server, serve
from ..front import Runner
from ..logs import configure, redact
from ..memory import use_few_arenas
from ..middleware import runner_options
from ..settings import Settings
from ..tls import server_context
from ..tokens import Tokens
from ..version import get_version
from .words import describe_detector, describe_recogniser, url_of

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 8.0
INDENT = " " * len("  recogniser  ")


def run(settings: Settings) -> int:
    """Run the server until it is told to stop; returns the exit status. Raises VedetteError or OSError."""
    configure(settings.log, settings.log_level, sys.stderr)
    use_few_arenas()
    return _runner()(_run(settings))


def _runner() -> Callable[..., int]:
    """uvloop where it is installed (not on Windows): a cheaper event loop for many small datagrams."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _run(settings: Settings) -> int:
    _fill_pool(asyncio.get_running_loop())
    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        tls = await asyncio.to_thread(server_context, settings.tls_cert, settings.tls_key)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(settings) as server:
        runner = Runner(server.app, **runner_options())
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port, shutdown_timeout=2.0, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            if error.errno != errno.EADDRINUSE:
                raise
            raise Conflict(
                f"port {settings.port} of {settings.host} is taken by another program; "
                "stop it, or choose another with --port or VEDETTE_PORT"
            ) from None
        try:
            _welcome(server, runner, settings.tls, await first_token(settings))
            announced = asyncio.create_task(_announce(server), name="announce")
            await stop.wait()
            print("\nstopping: peers are told, events are kept", file=sys.stderr)
            announced.cancel()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await server.live.close()
            except TimeoutError:
                logger.warning("sessions did not end within %g s", STOP_TIMEOUT_S)
        finally:
            await runner.cleanup()
    return 0


def _fill_pool(loop: asyncio.AbstractEventLoop) -> None:
    """Give the loop its pool with all threads started, so that encoders never wait for one to be made."""
    size = (os.cpu_count() or 2) + 4
    pool = ThreadPoolExecutor(size, thread_name_prefix="pool")
    together = threading.Barrier(size)
    for _ in range(size):
        pool.submit(together.wait)
    loop.set_default_executor(pool)


async def first_token(settings: Settings) -> str | None:
    """A token for an admin, made where one is needed and there is none yet; else nothing."""
    made = await asyncio.to_thread(Tokens(settings.data_dir).create_first) if settings.needs_token else None
    return None if made is None else made[1]


def _welcome(server: Server, runner: Runner, tls: bool, token: str | None) -> None:
    base = url_of(*runner.addresses[0][:2], tls=tls)
    console = f"{base}/" if server.has_console else "not built: it needs Node 20 or newer, then `make run` again"
    lines = [
        f"Vedette {get_version()} is listening",
        f"  console     {console}",
        f"  health      {base}/health",
        f"  data        {server.database}",
        "  detector    loading …",
        "  recogniser  loading …",
    ]
    if token is not None:
        lines[1:1] = [f"  token       {token}", f"{INDENT}admin's, and shown this once; `vedette token` makes others"]
    print("\n".join(lines), flush=True)


async def _announce(server: Server) -> None:
    """Say which models run where, as soon as that is known."""
    try:
        await server.ready
    except VedetteError as error:
        print(f"  detector    none: {error.message}", flush=True)
        return
    print("\n".join((*detector(server), "ready; Ctrl-C stops")), flush=True)
    await asyncio.wait((server.listening,))
    print("\n".join(recogniser(server)), flush=True)


def detector(server: Server) -> list[str]:
    """Which detector runs where, and why."""
    info = server.detector()
    return [] if info is None else [f"  detector    {describe_detector(info)}", f"{INDENT}{info.reason}"]


def recogniser(server: Server) -> list[str]:
    """Which recogniser runs where and why, or why none does."""
    info = server.recogniser()
    if info is None:
        return [f"  recogniser  none: {redact(server.deaf())}"]
    return [f"  recogniser  {describe_recogniser(info)}", f"{INDENT}{info.reason}"]
