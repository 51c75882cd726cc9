"""A database for one test, SQLite or Postgres, and other programs that use it at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.postgres import PostgresServer
from server.database import FILE_NAME, Database, open_database


@dataclass
class Postgres:
    """The server of the test run, and a database on it that is as the newest migration leaves it."""

    server: PostgresServer
    template: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a database is or will be."""

    data_dir: Path
    url: str | None
    """None is SQLite in `data_dir`."""
    server: PostgresServer | None = None

    @contextlib.asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[Database]:
        """The database, closed even when the test fails, or its threads would stay."""
        database = await open_database(self.url, self.data_dir, **options)
        try:
            yield database
        finally:
            await database.close()

    def ask(self, statement: str) -> list[list[str]]:
        """What another program is told; its rows as text. Blocking."""
        if self.server is not None and self.url is not None:
            return self.server.ask(self.url.rpartition("/")[2], statement)
        with contextlib.closing(sqlite3.connect(self.data_dir / FILE_NAME, isolation_level=None)) as other:
            return [[str(value) for value in row] for row in other.execute(statement)]

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Another program keeps everybody from writing, not from reading."""
        if self.url is not None:
            other = await asyncpg.connect(self.url)
            try:
                async with other.transaction():
                    await other.execute("LOCK TABLE sources, sessions, events, artifacts IN EXCLUSIVE MODE")
                    yield
            finally:
                await other.close()
            return
        with contextlib.closing(sqlite3.connect(self.data_dir / FILE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Postgres is stopped; another program has locked SQLite."""
        if self.server is None:
            async with self.locked():
                yield
            return
        await asyncio.to_thread(self.server.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self.server.start)
