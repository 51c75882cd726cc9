"""A server with a detector that finds bright rectangles, and browsers that are closed with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, Browser
from tracks.registry import TRACKERS, resolve


@pytest.fixture(scope="session")
def _imported() -> None:
    """ultralytics takes many seconds to import, during which nothing else in the process gets far."""
    resolve(TRACKERS["bytetrack"])


@pytest.fixture
async def api(tmp_path: Path, _imported: None) -> AsyncIterator[Api]:
    settings = Settings(data_dir=tmp_path, session_linger_s=1.5, pending_peer_timeout_s=1.0)
    serving = serve(
        settings,
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        yield Api(server, http)


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    browsers: list[Browser] = []
    yield browsers
    for browser in browsers:
        await browser.close()
