"""A server whose detectors can be held up, and clients of its `/ws/stream` that are closed with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import Server, serve
from server.roles import Role
from server.settings import Settings
from server.tokens import Tokens
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api
from tests.server.promises import Promises
from tests.server.stream.client import Stream, connect
from tracks.errors import ModelUnavailable

Connect = Callable[..., Awaitable[Stream]]


class Place(Api):
    """A running server, its detectors by the model that was asked for, and its tokens."""

    def __init__(
        self, server: Server, http: TestClient[Any, Any], detectors: dict[str, BrightDetector], tokens: Tokens
    ) -> None:
        super().__init__(server, http)
        self.detectors = detectors
        self.tokens = tokens

    def bearer(self, role: Role, name: str = "somebody") -> dict[str, str]:
        """Headers with a new token."""
        _, secret = self.tokens.create(name, role)
        return {"Authorization": f"Bearer {secret}"}

    @property
    def detector(self) -> BrightDetector:
        """The one that sessions use unless they choose another."""
        return next(iter(self.detectors.values()))


@pytest.fixture
async def place(tmp_path: Path, _imported: None) -> AsyncIterator[Place]:
    async with serving(tmp_path) as place:
        yield place


@asynccontextmanager
async def serving(data_dir: Path, **settings: Any) -> AsyncIterator[Place]:
    """A server with these settings."""
    detectors: dict[str, BrightDetector] = {}

    def load(choice: str, *, input_size: int, **options: object) -> BrightDetector:
        if choice == "broken":
            raise ModelUnavailable("weights are gone")
        name = f"{choice}-{input_size}"
        detectors[name] = BrightDetector()
        return detectors[name]

    given = Settings(data_dir=data_dir, **{"session_linger_s": 1.5, "pending_peer_timeout_s": 1.0, **settings})
    async with serve(given, load=load, load_asr=lambda choice, **options: BeepAsr(), vad=LoudVad()) as server:
        await server.ready
        promises = Promises(server.app)
        async with TestClient(TestServer(server.app)) as http:
            yield Place(server, http, detectors, Tokens(data_dir))
            for detector in detectors.values():
                detector.gate.set()
    assert promises.broken == []


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Connect]:
    made: list[Stream] = []

    async def connected(query: str = "", **options: Any) -> Stream:
        made.append(await connect(place.http, query, **options))
        return made[-1]

    yield connected
    for stream in made:
        await stream.close()
