"""A camera that goes away and comes back: the tracks go on, and what is told of it is true."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from av import VideoFrame

from tests.cameras.camera import (
    H264,
    H265,
    OPUS,
    Script,
    Sender,
    camera,
    describing,
    encoded,
    kill_readers,
    offering,
    scripted,
)
from tests.children import children, decoders
from tests.waiting import until
from tracks.rtsp.waits import Waits
from tracks.sources import Watched
from tracks.sources import rtsp as module
from tracks.sources.patience import FIRST_S, MOST_S, Backoff, Crashes
from tracks.sources.reach import Reach
from tracks.sources.rtsp import CameraSource, Target
from tracks.sources.urls import parse
from tracks.stats import Stats

HERE = Reach.of(["127.0.0.1"])
SOON = Waits(reply_s=1.0, silence_s=1.0, first_s=3.0, nothing_s=1.5)


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process and no descriptor is left."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    await until(lambda: not children(), 5.0)
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before, 5.0)


class Watcher:
    """Reads the pictures, and notes the states."""

    def __init__(self, source: CameraSource) -> None:
        self.source = source
        self.pts: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self.states: list[str] = []
        self.waits_s: list[float] = []
        source.watch(lambda: self.states.append(source.state))

    async def read(self) -> None:
        while True:
            frame = await self.source.video.recv()
            assert isinstance(frame, VideoFrame)
            assert frame.pts is not None
            self.pts.append(frame.pts)
            self.sizes.append((frame.width, frame.height))


@asynccontextmanager
async def watching(url: str, *, stats: Stats | None = None, wait_s: float = 0.05) -> AsyncIterator[Watcher]:
    """A camera that is looked for again after `wait_s` whatever it should be."""
    waits_s: list[float] = []

    async def sleep(seconds: float) -> None:
        waits_s.append(seconds)
        await asyncio.sleep(wait_s)

    source = CameraSource(Target(parse(url), HERE, waits=SOON), stats or Stats(), audio=True, sleep=sleep)
    watcher = Watcher(source)
    watcher.waits_s = waits_s
    source.start()
    reading = asyncio.create_task(watcher.read())
    try:
        yield watcher
    finally:
        await source.close()
        await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def filming(film: Script) -> AsyncIterator[Watcher]:
    """The same of a camera that does `film` once it is to play."""
    serving = scripted(describing(offering("video H264/90000"), then=film))
    async with serving as port, watching(f"rtsp://127.0.0.1:{port}/live") as watcher:
        yield watcher


async def test_a_camera_that_was_killed_is_found_again() -> None:
    """The same track goes on, later by as much as it was away; nothing is left of what was before."""
    stats = Stats()
    async with camera(H264 + OPUS) as each, watching(each.url, stats=stats) as watcher:
        assert isinstance(watcher.source, Watched)
        await until(lambda: len(watcher.pts) > 5)
        assert (watcher.states, watcher.source.media is not None) == (["live"], True)
        for round_ in range(2):
            await each.kill()
            await until(lambda: watcher.source.state == "reconnecting")
            assert watcher.source.reason
            seen, tries = len(watcher.pts), stats.reconnects
            await until(lambda tries=tries: stats.reconnects > tries + 1)
            await each.start()
            await until(lambda seen=seen: len(watcher.pts) > seen + 5)
            assert (watcher.source.state, watcher.states.count("live")) == ("live", round_ + 2)
        assert watcher.pts == sorted(set(watcher.pts))
        assert watcher.source.picture_age_s is not None
        assert watcher.source.picture_age_s < 1.0
        reader = decoders()
        assert len(reader) == 1


async def test_a_camera_that_is_not_there_is_looked_for() -> None:
    """From the beginning, with waits that grow."""
    async with scripted(describing("")) as port:
        pass
    async with watching(f"rtsp://127.0.0.1:{port}/live", wait_s=0.0) as watcher:
        await until(lambda: len(watcher.waits_s) > 8)
        assert watcher.source.picture_age_s is None
    assert watcher.states == ["reconnecting"]
    assert watcher.waits_s[0] <= 1.5
    assert max(watcher.waits_s) > 19


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_reader_that_dies_is_replaced(how: signal.Signals) -> None:
    """And no zombie is left."""
    async with camera(H264) as each, watching(each.url) as watcher:
        await until(lambda: len(watcher.pts) > 3)
        (reader,) = decoders()
        reader.send_signal(how)
        await until(lambda: watcher.states == ["live", "reconnecting", "live"])
        assert not reader.is_running()


async def test_a_reader_that_dies_again_and_again_is_given_up() -> None:
    """Five times in a minute are forgiven; then it has failed, with a code, and both tracks end."""
    async with camera(H264) as each, watching(each.url, wait_s=0.0) as watcher:
        source = watcher.source
        await kill_readers(source)
        assert watcher.states.count("reconnecting") == 5
        assert source.failure is not None
        assert (source.failure.code, "failed too often within 60 s" in source.failure.message) == (
            "source_unreachable",
            True,
        )
        assert source.video.readyState == "ended"


async def test_a_reader_that_is_frozen_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stalled first, and killed a little later."""
    monkeypatch.setattr(module, "STALL_S", 0.4)
    monkeypatch.setattr("tracks.media.live.FROZEN_S", 1.0)
    async with camera(H264) as each, watching(each.url) as watcher:
        await until(lambda: len(watcher.pts) > 3)
        (reader,) = decoders()
        reader.suspend()
        await until(lambda: watcher.states[-3:] == ["stalled", "reconnecting", "live"])


async def test_a_camera_that_falls_silent_is_connected_to_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of a picture, with the connection open."""
    monkeypatch.setattr(module, "STALL_S", 0.4)
    units = encoded((320, 180), 10)

    async def film(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = Sender(writer)
        for number, unit in enumerate(units):
            await sender.send(unit, number * 6000, part=1.0 if number < 9 else 0.4)
            await asyncio.sleep(0.03)
        await reader.read()

    async with filming(film) as watcher:
        await until(lambda: watcher.states.count("reconnecting") == 2)
    assert watcher.states[:4] == ["live", "stalled", "reconnecting", "live"]


async def test_another_size_and_times_that_jump_are_followed() -> None:
    """A stream that changes its resolution, and whose timestamps jump back and ahead: all is shown, in order."""
    small, large = encoded((320, 180), 8), encoded((640, 360), 8)

    async def film(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = Sender(writer)
        for units, first in ((small, 900_000_000), (large, 5), (small, 4_000_000_000)):
            for number, unit in enumerate(units):
                await sender.send(unit, first + number * 6000)
                await asyncio.sleep(1 / 15)
        await reader.read()

    async with filming(film) as watcher:
        await until(lambda: len(watcher.sizes) >= 22)
        assert [size for size, _ in itertools.groupby(watcher.sizes)] == [(320, 180), (640, 360), (320, 180)]
    assert watcher.pts == sorted(set(watcher.pts))
    assert watcher.pts[-1] - watcher.pts[0] < 4 * 90_000


async def test_another_codec_is_taken_after_the_next_connect() -> None:
    """A camera that was set up anew: its old connection is of no use."""
    async with camera(H264) as each, watching(each.url) as watcher:
        await until(lambda: watcher.source.state == "live")
        await each.kill()
        each.pipeline = H265
        await each.start()
        await until(lambda: "hevc" in str(watcher.source.media))


def test_waits_double_up_to_half_a_minute() -> None:
    """Each by its own chance; after a minute of health they begin anew."""
    for chance in (0.0, 0.5, 1.0):
        backoff = Backoff(lambda chance=chance: chance)
        waits_s = [backoff.next(0.0) for _ in range(12)]
        assert waits_s == sorted(waits_s)
        assert FIRST_S <= waits_s[0] <= 1.5
        assert 20 <= waits_s[-1] <= MOST_S
        assert backoff.next(59.0) > 19
        assert backoff.next(60.0) <= 1.5


def test_crashes_of_a_minute_are_counted() -> None:
    """Five are forgiven; those before do not count."""
    crashes = Crashes()
    assert [crashes.too_many(at_s) for at_s in (0.0, 1.0, 2.0, 3.0, 4.0, 60.0)] == [False] * 5 + [True]
    assert not crashes.too_many(61.1)
