"""Clients of `POST /analyze/frame`: each sends a JPEG, waits for the answer, and sends the next.

Run as `python -m bench.frame_client JSON` (`bench.frame` does): says `measuring` when every client has had an answer,
`measured` after the measured time, and writes what it saw.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp

from .content import load
from .held import held_jpegs

TIMINGS = ("decodeMs", "waitMs", "inferenceMs", "totalMs")


@dataclass(frozen=True, slots=True)
class FrameClientOptions:
    """Who is asked, by how many, for how long."""

    url: str
    cache: str
    """Folder of the rendered content."""
    result: str
    """File for what was seen."""
    clients: int
    seconds: float


@dataclass(slots=True)
class SeenFrames:
    """What came back in the measured time."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    """From before the request to behind its answer."""
    refused: int = 0
    """Answers that were no result."""
    objects: int = 0
    """In all answers."""
    timings_ms: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TIMINGS, 0.0))
    """Means of what the server says of itself."""


async def run(options: FrameClientOptions, jpegs: Sequence[bytes]) -> SeenFrames:
    """All clients at once. Raises ClientError when the server is gone, TimeoutError when it does not answer."""
    seen = SeenFrames()
    measuring, ended = asyncio.Event(), asyncio.Event()
    warm = asyncio.Barrier(options.clients + 1)

    async def client(first: int) -> None:
        async with aiohttp.ClientSession(options.url) as http:
            for n, jpeg in enumerate(itertools.islice(itertools.cycle(jpegs), first, None)):
                sent_s = time.monotonic()
                async with http.post("/analyze/frame", data=jpeg) as response:
                    answer = await response.json()
                if ended.is_set():
                    return
                if measuring.is_set():
                    _note(seen, response.status, answer, time.monotonic() - sent_s)
                if n == 0:
                    await warm.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(options.clients):
            group.create_task(client(number * len(jpegs) // options.clients))
        await warm.wait()
        print("measuring", flush=True)
        began_s = time.monotonic()
        measuring.set()
        await asyncio.sleep(options.seconds)
        ended.set()
        seen.seconds = time.monotonic() - began_s
        print("measured", flush=True)
    if seen.latencies_s:
        seen.timings_ms = {name: total / len(seen.latencies_s) for name, total in seen.timings_ms.items()}
    return seen


def _note(seen: SeenFrames, status: int, answer: dict[str, object], took_s: float) -> None:
    if status != 200:
        seen.refused += 1
        return
    seen.latencies_s.append(took_s)
    objects, timings = answer["objects"], answer["timings"]
    assert isinstance(objects, list)
    assert isinstance(timings, dict)
    seen.objects += len(objects)
    for name in TIMINGS:
        seen.timings_ms[name] += timings[name]


if __name__ == "__main__":
    asked = FrameClientOptions(**json.loads(sys.argv[1]))
    found = asyncio.run(run(asked, held_jpegs(load(Path(asked.cache)))))
    Path(asked.result).write_text(json.dumps(asdict(found)))
