"""A server with a detector that finds bright rectangles, browsers that are closed with the test, and its databases."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bench.postgres import PostgresFailed, PostgresServer
from server.app import serve
from server.database import FILE_NAME, Database, open_database
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, Browser
from tests.server.databases import Place, Postgres
from tests.server.promises import Promises
from tests.server.whip_peers import Whip
from tracks.registry import TRACKERS, resolve


@pytest.fixture(scope="session")
def _imported() -> None:
    """ultralytics takes many seconds to import, during which nothing else in the process gets far."""
    resolve(TRACKERS["bytetrack"])


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server of the test run's own; without the programs the test is skipped."""
    try:
        server = PostgresServer()
    except PostgresFailed as failed:
        pytest.skip(f"{failed} (`make test` installs it where apt can)")
    server.start()
    yield Postgres(server)
    server.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that is as the newest migration leaves it."""
    folder = tmp_path_factory.mktemp("migrated")

    async def make() -> None:
        await (await open_database(None, folder)).close()

    asyncio.run(make())
    return folder / FILE_NAME


@pytest.fixture(params=["sqlite", "postgres"])
def _postgres(request: pytest.FixtureRequest) -> Postgres | None:
    if request.param == "sqlite":
        return None
    running: Postgres = request.getfixturevalue("postgres")
    return running


@pytest.fixture
async def empty_place(tmp_path: Path, _postgres: Postgres | None) -> AsyncIterator[Place]:
    """Room for a database, once on SQLite and once on Postgres, with nothing in it."""
    async with _room(tmp_path, _postgres, None) as place:
        yield place


@pytest.fixture
async def place(tmp_path: Path, _postgres: Postgres | None, migrated: Path) -> AsyncIterator[Place]:
    """Room for a database, once on SQLite and once on Postgres, where all migrations have been applied already."""
    async with _room(tmp_path, _postgres, migrated) as place:
        yield place


@asynccontextmanager
async def _room(data_dir: Path, postgres: Postgres | None, migrated: Path | None) -> AsyncIterator[Place]:
    """Empty where `migrated` is None."""
    if postgres is None:
        if migrated is not None:
            shutil.copy(migrated, data_dir)
        yield Place(data_dir, None)
        return
    server = postgres.server
    if postgres.template is None and migrated is not None:
        name = await server.create()
        await (await open_database(server.url(name), data_dir)).close()
        postgres.template = name
    name = await server.create(None if migrated is None else postgres.template)
    yield Place(data_dir, server.url(name), server)
    await server.drop(name)


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    """A fresh database, of either kind."""
    async with place.opened() as database:
        yield database


@pytest.fixture
def detector() -> BrightDetector:
    """The detector of `api` and `api_on_both`."""
    return BrightDetector()


@pytest.fixture
async def api(tmp_path: Path, migrated: Path, detector: BrightDetector, _imported: None) -> AsyncIterator[Api]:
    """A server on SQLite."""
    async with _room(tmp_path, None, migrated) as place, _serving(place, detector) as api:
        yield api


@pytest.fixture
async def api_on_both(place: Place, detector: BrightDetector, _imported: None) -> AsyncIterator[Api]:
    """A server on SQLite, and one on Postgres."""
    async with _serving(place, detector) as api:
        yield api


@asynccontextmanager
async def _serving(place: Place, detector: BrightDetector) -> AsyncIterator[Api]:
    settings = Settings(
        data_dir=place.data_dir,
        database_url=place.url,
        session_linger_s=1.5,
        pending_peer_timeout_s=1.0,
        source_hosts=("127.0.0.1",),
    )
    serving = serve(
        settings,
        load=lambda choice, **options: detector,
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server:
        promises = Promises(server.app)
        async with TestClient(TestServer(server.app)) as http:
            yield Api(server, http)
    assert promises.broken == []


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    browsers: list[Browser] = []
    yield browsers
    for browser in browsers:
        await browser.close()


@pytest.fixture
async def whips() -> AsyncIterator[list[Whip]]:
    """Peers to be closed at the end."""
    made: list[Whip] = []
    yield made
    for peer in made:
        await peer.close()
