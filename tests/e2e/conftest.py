"""A real server in a process of its own, a real Chromium, and a camera that shows real people."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from aiohttp import ClientSession

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 45
CLIP_FRAMES = 180
FIRST_WITH_PEOPLE = 85


@dataclass(frozen=True)
class RunningServer:
    """A server process and where it listens."""

    url: str
    process: asyncio.subprocess.Process
    output: list[str]


class ServerFactory:
    """Starts `python -m server` with the given settings and waits until it is ready."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._running: list[tuple[RunningServer, asyncio.Task[None]]] = []

    async def __call__(self, **settings: str) -> RunningServer:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VEDETTE_")},
            "VEDETTE_PORT": "0",
            "VEDETTE_DATA_DIR": str(self._data_dir),
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server",
            env=environment,
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output: list[str] = []
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(_read(process, output, listening))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                running = RunningServer(await listening, process, output)
                self._running.append((running, reader))
                async with ClientSession() as http:
                    # Its certificate is the test's own.
                    while (await http.get(f"{running.url}/health/ready", ssl=False)).status != 200:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            process.kill()
            pytest.fail("the server did not get ready:\n" + "".join(output))
        return running

    async def close(self) -> None:
        for running, reader in self._running:
            if running.process.returncode is None:
                running.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                await running.process.wait()
                await reader


async def _read(process: asyncio.subprocess.Process, output: list[str], listening: asyncio.Future[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        text = line.decode()
        output.append(text)
        if text.startswith("  health ") and not listening.done():
            listening.set_result(text.split()[-1].removesuffix("/health"))
    if not listening.done():
        listening.set_exception(RuntimeError("the server ended:\n" + "".join(output)))


@pytest.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[ServerFactory]:
    """Starts servers that end with the test."""
    factory = ServerFactory(tmp_path / "data")
    yield factory
    await factory.close()


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motion JPEG of people, 1280x720, for Chromium's fake camera: real footage if there is, else photographs."""
    path = tmp_path_factory.mktemp("camera") / "people.mjpeg"
    shared = Path(os.environ.get("TEST_SHARED_DIR") or REPOSITORY.parent / "shared") / "media/people-one-by-one.mp4"
    frames = _footage(shared) if shared.is_file() else _photographs()
    with path.open("wb") as file:
        for frame in frames:
            picture = frame.reformat(1280, 720, "bgr24").to_ndarray()
            file.write(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())
    return path


def _footage(path: Path) -> Iterator[av.VideoFrame]:
    """People walking, at about real speed: the clip has 10 frames a second, the camera 30."""
    with av.open(str(path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n >= FIRST_WITH_PEOPLE + CLIP_FRAMES // 3:
                return
            if n >= FIRST_WITH_PEOPLE:
                yield from (frame, frame, frame)


def _photographs() -> Iterator[av.VideoFrame]:
    """A window that moves over a photograph of people that ships with ultralytics."""
    from ultralytics.utils import ASSETS

    image = cv2.imread(str(ASSETS / "bus.jpg"))
    image = cv2.resize(image, (1280, 1280 * image.shape[0] // image.shape[1]))
    room = image.shape[0] - 720
    for n in range(CLIP_FRAMES):
        top = room // 2 + int(room // 4 * np.sin(2 * np.pi * n / CLIP_FRAMES))
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(image[top : top + 720]), format="bgr24")
