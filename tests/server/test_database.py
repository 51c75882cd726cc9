"""The database: opened, brought up to date, and honest about what went wrong."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from server.database import Database, Rejected, open_database, redacted
from server.models import SourceRow
from tests.server.databases import Place
from tracks.errors import DatabaseUnavailable

Opening = Callable[[Path], Awaitable[Database]]


@pytest.fixture
async def opening() -> AsyncIterator[Opening]:
    """`open_database` on SQLite; what it opens is closed even when the test fails, or its threads would stay."""
    async with AsyncExitStack() as stack:

        async def open_and_close_later(data_dir: Path) -> Database:
            database = await open_database(None, data_dir)
            stack.push_async_callback(database.close)
            return database

        yield open_and_close_later


async def insert(client: BaseDBAsyncClient, source_id: str = "a") -> None:
    await SourceRow(id=source_id, kind="webcam", name="x", created_at=1.0).save(using_db=client, force_create=True)


async def count(client: BaseDBAsyncClient) -> int:
    return await SourceRow.all().using_db(client).count()


async def test_an_empty_folder_becomes_a_database(tmp_path: Path, opening: Opening) -> None:
    """The folder and the file are made, the schema is applied and recorded, and a second start changes nothing."""
    for _ in range(2):
        database = await opening(tmp_path / "new" / "data")
        tables = await database.read(
            lambda client: client.execute_query_dict("SELECT name FROM sqlite_master WHERE type = 'table'")
        )
        applied = await database.read(lambda client: client.execute_query_dict("SELECT name FROM tortoise_migrations"))
        await database.close()
        assert {"sources", "sessions", "events", "artifacts"} <= {row["name"] for row in tables}
        assert [row["name"] for row in applied] == [
            "0001_initial",
            "0002_artifacts",
            "0003_find_events",
            "0004_session_mode",
            "0005_cameras",
        ]


async def test_models_and_migrations_agree() -> None:
    """A change of a model without its migration fails here."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tortoise", "-c", "server.database.MIGRATIONS", "makemigrations"),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "No changes detected"


async def test_writes_are_in_wal_mode_and_reads_cannot_write(tmp_path: Path, opening: Opening) -> None:
    """Readers are not held up by the writer, and have a connection that refuses to change anything."""
    database = await opening(tmp_path)
    mode = await database.write(lambda client: client.execute_query_dict("PRAGMA journal_mode"))
    assert mode == [{"journal_mode": "wal"}]
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await database.read(insert)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(client: BaseDBAsyncClient) -> None:
        await insert(client)
        began.set()
        await go_on.wait()

    writing = asyncio.create_task(database.write(slow))
    await began.wait()
    try:
        async with asyncio.timeout(1):
            assert await database.read(count) == 0
    finally:
        go_on.set()
    await writing
    assert await database.read(count) == 1
    await database.close()


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    """An error inside undoes everything, reaches the caller, and the next transaction works."""

    async def half(client: BaseDBAsyncClient) -> None:
        await insert(client)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await database.write(half)
    await database.write(lambda client: insert(client, "b"))
    assert await database.read(count) == 1


async def test_a_commit_that_fails_leaves_nothing(tmp_path: Path, opening: Opening) -> None:
    """SQLite keeps a transaction open whose COMMIT broke a rule; it must not come back with the next one."""
    database = await opening(tmp_path)

    async def broken(client: BaseDBAsyncClient) -> None:
        await insert(client)
        await client.execute_query("CREATE TABLE child (source REFERENCES sources (id) DEFERRABLE INITIALLY DEFERRED)")
        await client.execute_query("INSERT INTO child VALUES ('nowhere')")

    with pytest.raises(Rejected, match="FOREIGN KEY"):
        await database.write(broken)
    async with asyncio.timeout(5):
        await database.write(lambda client: insert(client, "b"))
    assert await database.read(count) == 1
    await database.close()


async def test_what_the_schema_refuses_is_told_apart_from_trouble(database: Database) -> None:
    """A second row with the same id, or a name that is too long, will never be stored; trying again is useless."""
    await database.write(insert)
    with pytest.raises(Rejected, match=r"UNIQUE|unique"):
        await database.write(insert)
    with pytest.raises(Rejected, match="Length"):
        await database.write(lambda client: insert(client, "x" * 37))


async def test_a_cancelled_writer_does_not_block_the_next(database: Database) -> None:
    """A request that is given up, even before its transaction began, leaves the connection usable."""
    for turns in range(12):
        task = asyncio.create_task(database.write(lambda client: insert(client, f"id{turns}")))  # noqa: B023
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5):
        await database.write(lambda client: insert(client, "last"))


async def test_two_databases_do_not_see_each_other(tmp_path: Path, opening: Opening) -> None:
    """Nothing about an open database is global."""
    one, two = await opening(tmp_path / "1"), await opening(tmp_path / "2")
    await one.write(insert)
    assert (await one.read(count), await two.read(count)) == (1, 0)
    await one.close()
    assert await two.read(count) == 0
    await two.close()


async def test_a_closed_database_says_so(database: Database) -> None:
    """Late callers get a clear error, and closing twice is harmless."""
    await database.close()
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        await database.read(count)
    with pytest.raises(DatabaseUnavailable, match="is closed"):
        await database.write(insert)


async def test_a_file_that_is_no_database_is_named(tmp_path: Path, opening: Opening) -> None:
    """The message says which file, and the file is left as it was."""
    path = tmp_path / "vedette.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(DatabaseUnavailable, match=f"cannot open database {path}: file is not a database"):
        await opening(tmp_path)
    assert path.read_bytes() == b"something else entirely" * 100


async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path, opening: Opening) -> None:
    """A file where the folder should be stops the start."""
    (tmp_path / "data").write_text("")
    with pytest.raises(DatabaseUnavailable, match=f"cannot open database {tmp_path}/data/vedette.db"):
        await opening(tmp_path / "data")


async def test_a_database_of_a_newer_version_is_left_alone(place: Place) -> None:
    """A migration that this version does not know stops the start, by name."""
    async with place.opened():
        pass
    place.ask("INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('vedette', '0099_later', '2030-01-01')")
    with pytest.raises(DatabaseUnavailable, match="newer version: it has 0099_later"):
        async with place.opened():
            pass


async def test_a_migration_is_recorded_with_its_tables_or_not_at_all(
    empty_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between the two can start again."""

    async def dies(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("tortoise.migrations.recorder.MigrationRecorder.record_applied", dies)
        with pytest.raises(DatabaseUnavailable, match="killed"):
            async with empty_place.opened():
                pass
    async with empty_place.opened() as database:
        assert await database.read(count) == 0


async def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    """Postgres that is not there, or an unknown parameter of its URL, stops the start with the server's address."""
    address = re.escape("cannot open database postgres://127.0.0.1:9/vedette: ")
    for parameters in ("", "?nosuch=1"):
        with pytest.raises(DatabaseUnavailable, match=address) as caught:
            await open_database(f"postgres://user:hunter2@127.0.0.1:9/vedette{parameters}", Path("unused"))
        assert "hunter2" not in str(caught.value)


def test_credentials_are_cut_from_urls() -> None:
    """User, password and parameters do not reach a message."""
    assert redacted("postgresql://u:p@ss@h:5432/db?password=q") == "postgresql://h:5432/db"
