"""A look at the database that changes nothing: is it there, does it answer, and can this version use what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import pkgutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from tracks.errors import DatabaseUnavailable

from .. import migrations
from ..database import APP, FILE_NAME, UNAVAILABLE, redacted

CONNECT_S = 5.0
_APPLIED = "SELECT name FROM tortoise_migrations WHERE app = "


@dataclass(frozen=True, slots=True)
class Look:
    """A database, and how to look at it."""

    words: str
    """Which it is."""
    round_trip: Callable[[], Awaitable[None]] | None
    """Connects and reads, and raises DatabaseUnavailable; None while there is nothing to look at."""
    remedy: str
    """What to do when it fails."""


def look_at_database(url: str | None, data_dir: Path) -> Look:
    """The database of these settings."""
    if url is not None:
        where = redacted(url)
        remedy = "start it and let this machine in, or take DATABASE_URL away to use SQLite"
        return Look(f"Postgres at {where} answers", lambda: _translated(where, _postgres(url)), remedy)
    path = (data_dir / FILE_NAME).absolute()
    remedy = "put a backup in its place, move it away to begin anew, or take a newer Vedette if that wrote it"
    if not path.exists():
        return Look(f"SQLite; {path} will be made at the first start", None, remedy)
    return Look(f"SQLite, {path} answers", lambda: _translated(str(path), asyncio.to_thread(_sqlite, path)), remedy)


async def _translated(where: str, reading: Awaitable[set[str]]) -> None:
    try:
        applied = await reading
    except UNAVAILABLE as error:
        raise DatabaseUnavailable(f"database {where}: {error or type(error).__name__}") from error
    newer = sorted(applied - {module.name for module in pkgutil.iter_modules(migrations.__path__)})
    if newer:
        raise DatabaseUnavailable(f"database {where} was written by a newer version: it has {', '.join(newer)}")


def _sqlite(path: Path) -> set[str]:
    """The migrations that were applied. Blocking."""
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tortoise_migrations'").fetchone():
            return set()
        return {name for (name,) in connection.execute(f"{_APPLIED} ?", (APP,))}


async def _postgres(url: str) -> set[str]:
    connection = await asyncpg.connect(url, timeout=CONNECT_S)
    try:
        if await connection.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
            return set()
        return {row["name"] for row in await connection.fetch(f"{_APPLIED} $1", APP)}
    finally:
        await connection.close(timeout=CONNECT_S)
