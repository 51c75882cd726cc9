"""Opens the database, brings its schema up to date, and runs reads and transactions on it.

SQLite in WAL mode with `synchronous=NORMAL`: a commit is in the operating system's hands when it returns, so killing
the process loses nothing that was acknowledged; a power cut may lose the last commits, never the file
(https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, IntegrityError, ValidationError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.transactions import in_transaction

from tracks.errors import DatabaseUnavailable, InvalidRequest

T = TypeVar("T")

APP = "vedette"
APPS = {APP: {"models": ["server.models"], "default_connection": "default", "migrations": "server.migrations"}}
MIGRATIONS = {"connections": {"default": "sqlite://:memory:"}, "apps": APPS}
"""For `python -m tortoise -c server.database.MIGRATIONS makemigrations`, which compares the models with the files."""

FILE_NAME = "vedette.db"
BUSY_TIMEOUT_MS = 2000
"""How long one statement waits for another process's lock before it fails; whoever can wait longer tries again."""
CLOSE_TIMEOUT_S = 4.0
"""How long `close` waits for transactions that have begun; twice a statement's own limit."""
JOURNAL_BYTES = 64 * 2**20
"""What a checkpoint leaves of the write-ahead log. tortoise's default, 16 KiB, cuts and grows the file every time."""

REJECTED = (IntegrityError, sqlite3.IntegrityError, ValidationError, asyncpg.DataError, OverflowError, UnicodeError)
"""What they raise for values that do not fit; sqlite3's own when the COMMIT finds out, which tortoise passes on."""
UNAVAILABLE = (BaseORMException, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What they raise when the database is away, locked, full or broken."""


class Rejected(InvalidRequest):
    """The database is well but will never take these values."""


class Database:
    """One open database: reads on a connection of their own (SQLite) or from the pool, writes in transactions."""

    def __init__(self, where: str, context: TortoiseContext, variables: contextvars.Context, one_writer: bool) -> None:
        self.where = where
        """The file, or the server without its credentials; for messages."""
        self._context = context
        self._variables = variables
        self._write_turn: contextlib.AbstractAsyncContextManager[object] = (
            asyncio.Lock() if one_writer else contextlib.nullcontext()
        )
        self._one_writer = one_writer
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def read(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        """Run queries with the client given to `work`. Raises DatabaseUnavailable."""
        return await self._run(self._read(work))

    async def write(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        """Run `work` in one transaction; it is committed when this returns, and undone when it raises.

        A transaction that has begun is carried through even when the caller is cancelled: tortoise 1.1 never gives its
        connection's lock back when `begin()` is interrupted (backends/sqlite/client.py, `__aenter__`).
        Raises DatabaseUnavailable (try again later) or Rejected (never will).
        """
        return await self._run(self._write(work))

    async def close(self) -> None:
        """Let transactions that have begun finish, for 4 s at most, then close every connection. Safe to call twice."""
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
        await self._context.close_connections()

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise DatabaseUnavailable(f"database {self.where} is closed")
        # A task, so that tortoise's context is current whatever task called: two databases never see each other.
        task = asyncio.get_running_loop().create_task(work, context=self._variables.copy())
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: a caller that was cancelled is not there to take it

    async def _read(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        with self._translated():
            return await work(self._context.connections.get("reads" if self._one_writer else "default"))

    async def _write(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        async with self._write_turn:
            with self._translated():
                try:
                    async with in_transaction("default") as client:
                        return await work(client)
                except BaseException:
                    await self._roll_back()
                    raise

    async def _roll_back(self) -> None:
        """Undo what a failed COMMIT left open: tortoise's next `begin()` starts by committing it."""
        if self._one_writer:
            with contextlib.suppress(BaseORMException, sqlite3.Error):
                await self._context.connections.get("default").execute_query("ROLLBACK")

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except REJECTED as error:
            raise Rejected(str(error)) from error
        except UNAVAILABLE as error:
            raise DatabaseUnavailable(f"database {self.where}: {error}") from error


async def open_database(url: str | None, data_dir: Path) -> Database:
    """Open `data_dir/vedette.db`, or the Postgres server at `url`, and apply the migrations that are missing.

    Raises DatabaseUnavailable, naming the file or the server, when it cannot be opened, is no database, or was written
    by a newer version.
    """
    if url is None:
        path = data_dir / FILE_NAME
        where, connections = str(path), _sqlite(path)
    else:
        where, connections = redacted(url), {"default": _postgres(url)}
    context = TortoiseContext()
    variables = contextvars.copy_context()
    variables.run(context.__enter__)
    database = Database(where, context, variables, one_writer=url is None)
    try:
        if url is None:
            await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
        await asyncio.get_running_loop().create_task(_start(context, connections, where), context=variables.copy())
    except BaseException as error:
        await database.close()
        if isinstance(error, (*UNAVAILABLE, TypeError, ValueError)):  # the last two: parameters of the URL
            raise DatabaseUnavailable(f"cannot open database {where}: {error}") from error
        raise
    return database


async def _start(context: TortoiseContext, connections: dict[str, Any], where: str) -> None:
    await context.init(config={"connections": connections, "apps": APPS})
    for alias in connections:
        # Here and by hand: where a query opens the connection and fails, tortoise keeps the lock (`ConnectionWrapper`).
        await context.connections.get(alias).create_connection(with_db=True)
    client = context.connections.get("default")
    await MigrationExecutor(client, APPS).migrate(targets=[])  # makes tortoise's own table
    async with in_transaction("default") as client:
        executor = MigrationExecutor(client, APPS)
        executor.recorder = _Recorder(client)
        executor.loader.recorder = executor.recorder
        await executor.plan()
        unknown = sorted(
            key.name for key in executor.loader.applied_migrations if key not in executor.loader.graph.nodes
        )
        if unknown:
            raise DatabaseUnavailable(f"database {where} was written by a newer version: it has {', '.join(unknown)}")
        await executor.migrate(direction="forward")


class _Recorder(MigrationRecorder):
    """Records inside the migrations' own transaction, so that a kill between the two leaves neither."""

    async def ensure_schema(self, schema_editor: object) -> None:
        """Done before: on SQLite it would run `executescript`, which commits the transaction first."""


def _sqlite(path: Path) -> dict[str, Any]:
    pragmas = {
        "journal_mode": "WAL",
        "synchronous": "NORMAL",
        "busy_timeout": BUSY_TIMEOUT_MS,
        "journal_size_limit": JOURNAL_BYTES,
    }
    engine = "tortoise.backends.sqlite"
    return {
        "default": {"engine": engine, "credentials": {"file_path": str(path), **pragmas}},
        "reads": {"engine": engine, "credentials": {"file_path": str(path), **pragmas, "query_only": "ON"}},
    }


def _postgres(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise DatabaseUnavailable(f"unknown database scheme {scheme!r}, have: postgres, postgresql")
    return f"asyncpg://{rest}"


def redacted(url: str) -> str:
    """The URL without user name, password and parameters, for messages and logs."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
