"""A database, a folder of artifacts and what fills it, for tests of the store and of who uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server.artifact_files import BlobStore, FileBlobs
from server.artifacts import Artifact, Artifacts, Caption, Kind
from server.database import Database
from server.store import Session, Sessions, Sources
from tests.fakes import picture
from tests.server.databases import Place
from tracks.errors import VedetteError

QUOTA = 1 << 30


class Disk(BlobStore):
    """Files like any other, until it is told to be stuck or broken."""

    def __init__(self, files: FileBlobs) -> None:
        self._files = files
        self.works = asyncio.Event()
        self.works.set()
        self.slow: dict[str, asyncio.Event] = {}
        """Keys that wait for their own sake."""
        self.fault: VedetteError | None = None
        self.asked = 0

    async def put(self, key: str, content: bytes) -> None:
        self.asked += 1
        await self.works.wait()
        if key in self.slow:
            await self.slow[key].wait()
        if self.fault is not None:
            raise self.fault
        await self._files.put(key, content)

    def read(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._files.read(key, start, stop)

    async def delete(self, keys: Iterable[str]) -> None:
        await self._files.delete(keys)

    async def keys(self) -> list[str]:
        return await self._files.keys()


class Store:
    """Artifacts on a database and a folder of their own."""

    def __init__(self, folder: Path, database: Database, artifacts: Artifacts, disk: Disk) -> None:
        self.folder = folder
        self.database = database
        self.artifacts = artifacts
        self.disk = disk

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    async def session(self) -> Session:
        source = await Sources(self.database).create("webcam", "a camera")
        return await Sessions(self.database, "node").create(source.id, ["vision"], "fast", "smooth", None)

    async def keep(self, session_id: str = "s", kind: Kind = "thumbnail", x: int = 200, **more: Any) -> Artifact:
        return await self.artifacts.keep(Caption(session_id, "source", kind, 1.5, **more), picture(x))


@contextlib.asynccontextmanager
async def opened(
    place: Place, max_bytes: int = QUOTA, owner: str = "node", start: bool = True, **options: Any
) -> AsyncIterator[Store]:
    """A store that is closed with its threads even when the test fails."""
    threads = ThreadPoolExecutor(2, thread_name_prefix="artifacts")
    folder = place.data_dir / "artifacts"
    disk = Disk(FileBlobs(folder, threads, **options))
    async with place.opened() as database:
        artifacts = Artifacts(database, disk, threads, owner, max_bytes)
        try:
            if start:
                await artifacts.start()
            yield Store(folder, database, artifacts, disk)
        finally:
            disk.works.set()
            await artifacts.close()
            threads.shutdown()
