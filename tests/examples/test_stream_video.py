"""`examples/stream_video.py` against a real server, through a line that breaks."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiohttp import ClientSession

from tests.camera import people
from tests.serving import REPOSITORY

PLAYED_S = 6


def write_film(path: Path) -> None:
    """People walking, with a tone: H.264 and AAC as a telephone films them."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        audio = film.add_stream("aac", rate=48_000, layout="mono")
        pictures = people()
        for n in range(10 * PLAYED_S):
            frame = next(pictures).reformat(1280, 720, "yuv420p")
            frame.pts, frame.time_base, frame.pict_type = n, Fraction(1, 10), 0
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000 * PLAYED_S) / 48_000)).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(tone[None, :], format="s16", layout="mono")
        sound.sample_rate, sound.pts = 48_000, 0
        film.mux(audio.encode(sound))
        film.mux(audio.encode(None))


class Line:
    """A TCP line to the server that can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._open: set[asyncio.StreamWriter] = set()
        self.made = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            for each in ends:
                each.close()
            self._open -= ends

    def cut(self) -> None:
        for each in self._open:
            each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    host, port = url.removeprefix("http://").split(":")
    line = Line(host, int(port))
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    async with server:
        yield line, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        line.cut()


async def test_a_film_is_told_of_though_the_line_breaks(start_server: Any, tmp_path: Path) -> None:
    """Objects and states are printed once each, in order, over two connections; the session ends with the film."""
    film = tmp_path / "film.mp4"
    await asyncio.to_thread(write_film, film)
    server = await start_server()
    async with line_to(server.url) as (line, url), ClientSession(server.url) as http:
        client = await asyncio.create_subprocess_exec(
            sys.executable,
            str(REPOSITORY / "examples/stream_video.py"),
            str(film),
            "--server",
            url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert client.stdout is not None
        told: list[str] = []
        async with asyncio.timeout(60):
            async for output in client.stdout:
                told.append(output.decode().strip())
                if told[-1].endswith("entered") and line.made == 1:
                    line.cut()
            assert await client.wait() == 0, told
        (session_id,) = {found[1] for each in told if (found := re.search(r"session ([0-9a-f-]{36})$", each))}
        session = await (await http.get(f"/sessions/{session_id}")).json()
        assert session["state"] == "ended"
        query = {"kind": "object", "limit": "1000"}
        events = (await (await http.get(f"/sessions/{session_id}/events", params=query)).json())["events"]
    assert line.made == 2
    assert [each.split(":")[0] for each in told if "session 0" in each] == ["started", "attached"]
    seen = [f"{each['data']['label']} {each['data']['trackId']} {each['data']['phase']}" for each in events]
    assert [each.split("s  ", 1)[1] for each in told if each.endswith(("entered", "dwelt", "left"))] == seen
    assert any(each.startswith("person") for each in seen)
    counts = re.fullmatch(r"pictures: (\d+) sent, (\d+) detected, (\d+) dropped, (\d+) left out", told[-2])
    assert counts is not None, told
    assert int(counts[2]) >= PLAYED_S
