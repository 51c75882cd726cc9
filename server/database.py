"""Opens the database, brings its schema up to date, and runs reads and transactions on it.

SQLite in WAL mode with `synchronous=NORMAL`: a commit is in the operating system's hands when it returns, so killing
the process loses nothing that was acknowledged; a power cut may lose the last commits, never the file
(https://sqlite.org/pragma.html#pragma_synchronous).

Whatever happens to the database, a caller has an answer within `PATIENCE_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, IntegrityError, ValidationError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.transactions import in_transaction

from tracks.errors import DatabaseUnavailable, InvalidRequest, StorageFull

T = TypeVar("T")

APP = "vedette"
SQLITE, SQLITE_READS, POSTGRES = "sqlite", "sqlite-reads", "postgres"
"""Names of connections. tortoise remembers statements by name for the whole process: one for both would mix them up."""


def _apps(connection: str) -> dict[str, dict[str, Any]]:
    return {APP: {"models": ["server.models"], "default_connection": connection, "migrations": "server.migrations"}}


MIGRATIONS = {"connections": {SQLITE: "sqlite://:memory:"}, "apps": _apps(SQLITE)}
"""For `python -m tortoise -c server.database.MIGRATIONS makemigrations`, which compares the models with the files."""

FILE_NAME = "vedette.db"
BUSY_TIMEOUT_MS = 2000
"""How long one statement waits for another process's lock before it fails; whoever can wait longer tries again."""
PATIENCE_S = 10.0
"""How long a caller waits for the database. What takes longer may still be done, but nobody hears of it."""
POSTGRES_LIMIT_S = 8.0
"""After this a connection to Postgres that is in use is cut off: without that a server that has gone silent would keep
it for as long as TCP does, a quarter of an hour."""
POSTGRES_CONNECTIONS = 8
MAX_WAITING = 1000
"""Callers at once."""
CLOSE_TIMEOUT_S = 4.0
"""How long `close` waits for transactions that have begun; twice a statement's own limit."""
JOURNAL_BYTES = 64 * 2**20
"""What a checkpoint leaves of the write-ahead log. tortoise's default, 16 KiB, cuts and grows the file every time."""

REJECTED = (IntegrityError, sqlite3.IntegrityError, ValidationError, asyncpg.DataError, OverflowError, UnicodeError)
"""What they raise for values that do not fit; sqlite3's own when the COMMIT finds out, which tortoise passes on.
asyncpg's it wraps in an OperationalError."""
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
        self._write_turn = asyncio.Lock()
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
        Raises DatabaseUnavailable or StorageFull (try again later; it may have been committed all the same), or
        Rejected (never will).
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
        if self._closed or len(self._tasks) >= MAX_WAITING:
            work.close()
            why = "is closed" if self._closed else f"has {MAX_WAITING} callers waiting"
            raise DatabaseUnavailable(f"database {self.where} {why}")
        # A task, so that tortoise's context is current whatever task called: two databases never see each other.
        task = asyncio.get_running_loop().create_task(work, context=self._variables.copy())
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        if not done:
            raise DatabaseUnavailable(f"database {self.where} has not answered for {PATIENCE_S:g} s")
        return task.result()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: a caller that was cancelled is not there to take it

    async def _read(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        with self._translated():
            if self._one_writer:
                return await work(self._context.connections.get(SQLITE_READS))
            async with self._borrowed() as connection:
                return await work(_Borrowed(connection, self._pooled))

    async def _write(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        with self._translated():
            if self._one_writer:
                return await self._write_alone(work)
            async with self._borrowed() as connection, connection.transaction():
                return await work(_Borrowed(connection, self._pooled))

    async def _write_alone(self, work: Callable[[BaseDBAsyncClient], Awaitable[T]]) -> T:
        """SQLite has one writer at a time."""
        async with self._write_turn:
            try:
                async with in_transaction(SQLITE) as client:
                    return await work(client)
            except BaseException:
                # Undo what a failed COMMIT left open: tortoise's next `begin()` starts by committing it.
                with contextlib.suppress(BaseORMException, sqlite3.Error):
                    await self._context.connections.get(SQLITE).execute_query("ROLLBACK")
                raise

    @property
    def _pooled(self) -> AsyncpgDBClient:
        client = self._context.connections.get(POSTGRES)
        assert isinstance(client, AsyncpgDBClient)
        return client

    @contextlib.asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        """One connection of the pool, for a limited time.

        By hand: tortoise's `in_transaction` waits for a connection without a limit, and keeps it for good when its
        BEGIN fails (backends/base/client.py, `TransactionContextPooled`).
        """
        pool = self._pooled._pool
        assert pool is not None
        connection = await pool.acquire(timeout=POSTGRES_LIMIT_S)
        limit = asyncio.get_running_loop().call_later(POSTGRES_LIMIT_S, connection.terminate)
        try:
            yield connection
        finally:
            await pool.release(connection)
            limit.cancel()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if _is_refusal(error):
                raise Rejected(str(error)) from error
            if isinstance(error, UNAVAILABLE):
                kind = StorageFull if _is_full(error) else DatabaseUnavailable
                raise kind(f"database {self.where}: {str(error) or type(error).__name__}") from error
            raise


class _Borrowed(TransactionWrapper):
    """tortoise's client on one connection of a pool."""

    def __init__(self, connection: Any, client: AsyncpgDBClient) -> None:
        super().__init__(client)
        self._connection = connection


def _is_refusal(error: Exception) -> bool:
    """Whether the database is well and will never take these values."""
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)  # asyncpg's own look at the arguments
    return isinstance(error, REJECTED) or isinstance(error.__cause__, asyncpg.DataError)


def _is_full(error: Exception) -> bool:
    """Whether the disk, or what the database may take of it, is used up."""
    cause = error.args[0] if error.args and isinstance(error.args[0], sqlite3.Error) else error
    return isinstance(cause, asyncpg.DiskFullError) or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


async def open_database(url: str | None, data_dir: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Database:
    """Open `data_dir/vedette.db`, or the Postgres server at `url`, and apply the migrations that are missing.

    `busy_timeout_ms` is how long one statement waits for somebody else's lock. Raises DatabaseUnavailable, naming the
    file or the server, when it cannot be opened, is no database, or was written by a newer version.
    """
    path = data_dir / FILE_NAME
    where = str(path) if url is None else redacted(url)
    context = TortoiseContext()
    variables = contextvars.copy_context()
    variables.run(context.__enter__)
    database = Database(where, context, variables, one_writer=url is None)
    try:
        if url is None:
            connections = _sqlite(path, busy_timeout_ms)
            await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
        else:
            connections = {POSTGRES: _postgres(url, busy_timeout_ms)}
        await asyncio.get_running_loop().create_task(_start(context, connections, where), context=variables.copy())
    except BaseException as error:
        await database.close()
        if isinstance(error, (*UNAVAILABLE, TypeError, ValueError)):  # the last two: parameters of the URL
            raise DatabaseUnavailable(f"cannot open database {where}: {error}") from error
        raise
    return database


async def _start(context: TortoiseContext, connections: dict[str, Any], where: str) -> None:
    main = next(iter(connections))
    apps = _apps(main)
    await context.init(config={"connections": connections, "apps": apps})
    for alias in connections:
        # Here and by hand: where a query opens the connection and fails, tortoise keeps the lock (`ConnectionWrapper`).
        await context.connections.get(alias).create_connection(with_db=True)
    await MigrationExecutor(context.connections.get(main), apps).migrate(targets=[])  # makes tortoise's own table
    async with in_transaction(main) as client:
        executor = MigrationExecutor(client, apps)
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


def _sqlite(path: Path, busy_timeout_ms: int) -> dict[str, Any]:
    pragmas = {
        "journal_mode": "WAL",
        "synchronous": "NORMAL",
        "busy_timeout": busy_timeout_ms,
        "journal_size_limit": JOURNAL_BYTES,
    }
    engine = "tortoise.backends.sqlite"
    return {
        SQLITE: {"engine": engine, "credentials": {"file_path": str(path), **pragmas}},
        SQLITE_READS: {"engine": engine, "credentials": {"file_path": str(path), **pragmas, "query_only": "ON"}},
    }


def _postgres(url: str, busy_timeout_ms: int) -> dict[str, Any]:
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise DatabaseUnavailable(f"unknown database scheme {scheme!r}, have: postgres, postgresql")
    config = expand_db_url(f"asyncpg://{rest}")
    # Compiling takes longer than any query here; a plan that is made without the values can be as bad as they come.
    settings = {
        "application_name": APP,
        "jit": "off",
        "lock_timeout": str(busy_timeout_ms),
        "plan_cache_mode": "force_custom_plan",
    }
    config["credentials"] = {
        "maxsize": POSTGRES_CONNECTIONS,
        "timeout": POSTGRES_LIMIT_S,
        "server_settings": settings,
        **config["credentials"],
    }
    return config


def redacted(url: str) -> str:
    """The URL without user name, password and parameters, for messages and logs."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
