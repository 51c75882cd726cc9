"""The figures of RELIABILITY for cameras, in full: `make endure`."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import time
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.cameras.camera import H264, OPUS, camera
from tests.cameras.test_watch import HERE, Watcher
from tests.children import children, decoders
from tests.waiting import until
from tracks.sources.rtsp import CameraSource, Target
from tracks.sources.urls import parse
from tracks.stats import Stats

pytestmark = pytest.mark.endure

KILLS, RESTARTS, SOAK_S = 50, 200, 150.0
WITHIN_S = 2.0
"""From the camera's return to the next picture, beyond the wait that was under way."""


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process, no zombie and no descriptor is left, and so no shared memory, which has no other name."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    await until(lambda: not children(), 5.0)
    gc.collect()  # `Timed` refers to itself by way of its source, whose last pictures have the memory
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before, 5.0)


class Timed(Watcher):
    """Notes the waits as they are, which are real here."""

    def __init__(self, url: str, *, udp: bool = False) -> None:
        self.stats = Stats()
        self.wait_ends_s = 0.0

        async def sleep(seconds: float) -> None:
            self.wait_ends_s = time.monotonic() + seconds
            await asyncio.sleep(seconds)

        source = CameraSource(Target(parse(url), HERE, udp=udp), self.stats, audio=True, sleep=sleep)
        super().__init__(source)
        source.start()
        self.reading = asyncio.create_task(self.read())

    async def close(self) -> None:
        await self.source.close()
        await asyncio.gather(self.reading, return_exceptions=True)


async def test_a_camera_that_is_killed_fifty_times() -> None:
    """Fifty recoveries, each within 2 s of its return or of the wait under way; another camera loses no picture."""
    async with camera(H264 + OPUS) as each, camera(H264) as steady:
        other, watcher = Timed(steady.url), Timed(each.url)
        await until(lambda: watcher.pts and other.pts)
        gaps_before, late_s = len(other.pts), []
        for _ in range(KILLS):
            await each.kill()
            await until(lambda: watcher.source.state == "reconnecting")
            await each.start()
            back_s, seen = time.monotonic(), len(watcher.pts)
            await until(lambda seen=seen: len(watcher.pts) > seen, 45.0)
            late_s.append(time.monotonic() - max(back_s, watcher.wait_ends_s))
        print(
            f"{KILLS} kills: back {statistics.median(late_s):.2f} s (median), {max(late_s):.2f} s (most) after the wait"
        )
        assert max(late_s) <= WITHIN_S
        assert other.stats.reconnects == 0
        assert sum(other.stats.drops.values()) == 0
        steps = [b - a for a, b in zip(other.pts[gaps_before:], other.pts[gaps_before + 1 :], strict=False)]
        assert max(steps) < 2.5 * 6000  # 15 a second
        await watcher.close()
        await other.close()


async def test_two_hundred_readers_leave_nothing() -> None:
    """Killed as soon as they show something: memory and descriptors are back to where they were."""
    process = psutil.Process()
    async with camera(H264) as each:
        rss: list[int] = []
        for number in range(RESTARTS):
            watcher = Timed(each.url)
            await until(lambda watcher=watcher: watcher.pts)
            (reader,) = decoders()
            reader.kill()
            await until(lambda watcher=watcher: watcher.source.state == "reconnecting")
            await watcher.close()
            if number in (20, RESTARTS - 1):
                rss.append(process.memory_info().rss)
        print(f"{RESTARTS} readers: memory {(rss[-1] - rss[0]) / 1e6:+.1f} MB")
        assert rss[-1] - rss[0] <= 10e6


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
async def test_a_session_is_kept_alive(udp: bool) -> None:
    """Servers end sessions of which they hear nothing for 60 s."""
    async with camera(H264 + OPUS) as each:
        watcher = Timed(each.url, udp=udp)
        await until(lambda: watcher.pts)
        began_s = time.monotonic()
        await until(lambda: time.monotonic() - began_s > SOAK_S or watcher.stats.reconnects, SOAK_S + 10)
        assert watcher.stats.reconnects == 0
        assert len(watcher.pts) > SOAK_S * 14
        (reader,) = decoders()
        print(f"reader: {reader.memory_info().rss / 1e6:.0f} MB, drops {dict(watcher.stats.drops)}")
        await watcher.close()
