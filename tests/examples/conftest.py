"""A real server in a process of its own, and a camera that shows real people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.camera import write_people
from tests.serving import ServerFactory


@pytest.fixture
async def start_server(tmp_path: Path, exports: Path) -> AsyncIterator[ServerFactory]:
    """Starts servers that end with the test."""
    factory = ServerFactory(tmp_path / "data", exports)
    yield factory
    await factory.close()


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Chromium's fake camera shows."""
    path = tmp_path_factory.mktemp("camera") / "people.mjpeg"
    write_people(path)
    return path
