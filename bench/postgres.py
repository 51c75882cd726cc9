"""A Postgres server of one's own, in a folder of its own that is removed with it: for measurements and for tests.

Blocking, but for what makes databases. Postgres refuses to run as root: started by root, it runs as another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from .processes import free_port

OWNER = "vedette"
USERS = ("postgres", "nobody")
"""Whom it runs as when root starts it: the first that there is."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.02
TRIES = 3
"""Another program may take the port between our look and Postgres' own."""


class PostgresFailed(Exception):
    """Postgres is not installed, or did not start; the message ends with what it said last."""


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`: that of the PATH, or the newest where Debian puts them."""
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in folders), key=lambda folder: float(folder.parent.name), default=None)


class PostgresServer:
    """One server on a port of 127.0.0.1, from `start` to `close`; in between it may be stopped and started again."""

    def __init__(self, *options: str, durable: bool = False) -> None:
        """`options` are lines of postgresql.conf. `durable`: what is committed survives a power cut.

        Raises PostgresFailed when it is not installed.
        """
        programs = find_programs()
        if programs is None:
            raise PostgresFailed("there is no Postgres on this machine")
        self._programs = programs
        self.user = _user()
        """User and group that it runs as."""
        self._folder = Path(tempfile.mkdtemp(prefix="vedette-postgres-"))
        unsafe = () if durable else ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
        self._options = (*unsafe, *options)
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self.port = 0

    @property
    def pid(self) -> int:
        """Of the server that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, making its files at the first time; it answers when this returns. Raises PostgresFailed."""
        if self.port:
            self._launch()
            return
        try:
            self._initialise()
            for attempt in range(1, TRIES + 1):
                self.port = free_port()
                try:
                    self._launch()
                except PostgresFailed:
                    if attempt == TRIES:
                        raise
                else:
                    return
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Break off every connection and end in good order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Take it away as a power cut would; `start` recovers what it had written."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Let it say nothing more, on connections that stay open, until `thaw`."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._processes():
            process.resume()

    def close(self) -> None:
        """Stop it and remove its files. Safe to call twice."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """What `DATABASE_URL` has to be for this database."""
        return f"postgres://{OWNER}@127.0.0.1:{self.port}/{database}"

    async def create(self, template: str | None = None) -> str:
        """Make a database, a copy of another if asked; returns its name."""
        self._made += 1
        name = f"test{self._made}"
        await self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    async def drop(self, database: str) -> None:
        """Remove a database, whoever is connected."""
        await self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def ask(self, database: str, statement: str) -> list[list[str]]:
        """The rows that a program of its own is given, as text."""
        asked = self._popen("psql", "-XAtqc", statement, self.url(database), stdout=subprocess.PIPE)
        said, _ = asked.communicate()
        if asked.returncode:
            raise PostgresFailed(f"psql ended with {asked.returncode}: {statement}")
        return [line.split("|") for line in said.decode().splitlines()]

    def _processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    async def execute(self, statement: str) -> None:
        """Run a statement that belongs to no database."""
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _initialise(self) -> None:
        uid, gid = self.user
        os.chown(self._folder, uid, gid)
        made = self._popen(
            "initdb",
            *("-D", self._data, "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = made.communicate()
        if made.returncode:
            raise PostgresFailed(f"initdb failed: {said.decode(errors='replace').strip()[-500:]}")

    def _launch(self) -> None:
        settings = (
            *("listen_addresses=127.0.0.1", f"port={self.port}", f"unix_socket_directories={self._folder}"),
            *self._options,
        )
        with (self._folder / "log").open("wb") as log:
            self._process = self._popen(
                "postgres", "-D", self._data, *(f"--{setting}" for setting in settings), stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            asked = self._popen("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
            if asked.wait() == 0:
                return
            time.sleep(POLL_S)
        self._end(signal.SIGQUIT)
        said = (self._folder / "log").read_text(errors="replace").strip()
        raise PostgresFailed(f"Postgres did not start: {said[-500:]}")

    def _end(self, signal_number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal_number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _popen(self, program: str, *arguments: str | Path, **streams: Any) -> subprocess.Popen[bytes]:
        command: Sequence[str | Path] = (self._programs / program, *arguments)
        uid, gid = self.user
        identity: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": ()} if os.geteuid() == 0 else {}
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        return subprocess.Popen(
            command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, **identity, **streams
        )


def _user() -> tuple[int, int]:
    """User and group that it runs as."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    for name in USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise PostgresFailed(f"Postgres does not run as root, and there is no user of: {', '.join(USERS)}")
