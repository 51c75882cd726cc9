"""Connect and leave, over and over: afterwards the server must hold no more than before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import VideoStreamTrack

from . import proc
from .negotiate import offer, open_session
from .scrape import TASKS, Scrape

WARM_UP = 20
"""Connects in a round before the first look, so that pools, caches and the model are there."""
WARM_UP_ROUNDS = 5
"""At most; fewer when two rounds leave as many threads: pools fill up to their bound only as chance has it."""
AT_ONCE = 4
LOOK_EVERY = 2
"""Connects between two readings of the memory."""
SETTLE_S = 30.0
"""How long the server may take to let go of the last peers."""
FIRST_FRAME_S = 30.0
RSS_MB = 20.0
"""Growth of the resident memory that is still right."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the server held at one moment."""

    descriptors: int
    threads: int
    tasks: int | None
    """asyncio tasks, where `/metrics` tells them."""
    rss_mb: float

    @classmethod
    async def now(cls, url: str, pid: int) -> Moment:
        """Look at a running server."""
        tasks = (await Scrape.of(url)).value(TASKS)
        held = proc.holdings(pid)
        return cls(held.descriptors, held.threads, None if tasks is None else int(tasks), held.rss_mb)


@dataclass(frozen=True, slots=True)
class Connects:
    """The server before and after."""

    count: int
    before: Moment
    after: Moment
    seconds: float
    rss_mb: list[float]
    """Resident memory on the way, every few connects."""

    @property
    def growth_mb(self) -> float:
        """By how much all connects together raised the resident memory.

        From the median of the first quarter on the way to that of the last, which are three quarters of the way apart.
        Single readings say little: they swing by 40 MB with what the garbage collector has not come to yet.
        """
        quarter = max(1, len(self.rss_mb) // 4)
        return float(np.median(self.rss_mb[-quarter:]) - np.median(self.rss_mb[:quarter])) / 0.75

    @property
    def returned(self) -> bool:
        """True when descriptors, threads and tasks are back and the memory has not grown beyond what is right."""
        return _counts_back(self.before, self.after) and self.growth_mb <= RSS_MB


async def connects(url: str, pid: int, count: int, tell: Callable[[int], None]) -> Connects:
    """Connect `count` times with video, a few at once, wait for the first frame back and leave.

    Every second session is deleted by the client before it leaves, the others after. Raises TimeoutError when no frame
    comes back, aiohttp.ClientResponseError when the server refuses.
    """
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(url, raise_for_status=True) as http:
        before = await _warm_up(http, url, pid)
        began_s = loop.time()
        rss_mb = []

        def look(done: int) -> None:
            if done % LOOK_EVERY == 0:
                rss_mb.append(proc.holdings(pid).rss_mb)
            tell(done)

        await _many(http, count, look)
        seconds = loop.time() - began_s
    return Connects(count, before, await _settled(url, pid, before), seconds, rss_mb)


async def _warm_up(http: aiohttp.ClientSession, url: str, pid: int) -> Moment:
    """Connect until the pools are full; returns what the server holds then."""
    threads = []
    for _ in range(WARM_UP_ROUNDS):
        await _many(http, WARM_UP, lambda done: None)
        threads.append(proc.holdings(pid).threads)
        if threads[-2:-1] == threads[-1:]:
            break
    return await _settled(url, pid, None)


async def _many(http: aiohttp.ClientSession, count: int, tell: Callable[[int], None]) -> None:
    numbers = iter(range(count))
    done = 0

    async def some() -> None:
        nonlocal done
        for number in numbers:
            await _once(http, delete_first=number % 2 == 0)
            done += 1
            tell(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


async def _once(http: aiohttp.ClientSession, *, delete_first: bool) -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        receiver = pc.addTransceiver(VideoStreamTrack(), direction="sendrecv").receiver
        pc.createDataChannel("events", protocol="vedette.v1")
        session = await open_session(http, "smooth")
        await offer(pc, http, session)
        track: MediaStreamTrack = receiver.track
        await asyncio.wait_for(track.recv(), FIRST_FRAME_S)
        if delete_first:
            await _delete(http, session)
    finally:
        await pc.close()
    if not delete_first:
        await _delete(http, session)


async def _delete(http: aiohttp.ClientSession, path: str) -> None:
    async with http.delete(path):
        pass


async def _settled(url: str, pid: int, goal: Moment | None) -> Moment:
    """The server once it is back at `goal`, or has stopped changing, or after `SETTLE_S`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_S
    last = await Moment.now(url, pid)
    while loop.time() < deadline:
        await asyncio.sleep(1.0)
        moment = await Moment.now(url, pid)
        if goal is None:
            if _counts_back(last, moment) and _counts_back(moment, last):
                return moment
        elif _counts_back(goal, moment):
            return moment
        last = moment
    return last


def _counts_back(before: Moment, after: Moment) -> bool:
    tasks_back = before.tasks is None or after.tasks is None or after.tasks <= before.tasks
    return after.descriptors <= before.descriptors and after.threads <= before.threads and tasks_back
