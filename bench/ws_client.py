"""A client of `/ws/stream`: sends JPEGs as bytes, as many unanswered as it may have, the next with each answer.

Run as `python -m bench.ws_client JSON` (`bench.ws` does): says `measuring` once the server is warm, `measured` after
the measured time, and writes what it saw.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from .content import load
from .held import held_jpegs

WARM_UP = 30
"""Pictures that are answered before the measured time."""
SILENCE_S = 15.0
"""After which the server is given up."""


@dataclass(frozen=True, slots=True)
class WsClientOptions:
    """Who is asked, and for how long."""

    url: str
    cache: str
    """Folder of the rendered content."""
    result: str
    """File for what was seen."""
    profile: str
    seconds: float


@dataclass(slots=True)
class SeenAnswers:
    """What came back in the measured time."""

    seconds: float = 0.0
    in_flight: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """From before a picture is sent to its detection."""
    lost: int = 0
    """Pictures that were dropped or refused."""
    objects: int = 0
    """In all answers."""


class WsClient:
    """One connection that publishes."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        jpegs: Sequence[bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives each picture its ts, and never the same twice."""
        self.seen = SeenAnswers()
        self._socket = socket
        self._jpegs = itertools.cycle(jpegs)
        self._clock = clock
        self._sent_s: dict[float, float] = {}
        """When what is unanswered was sent, by its ts."""

    async def start(self, profile: str) -> None:
        """Begin a session, and send what may be on its way at once. Raises RuntimeError when it is refused."""
        await self._socket.send_json({"type": "start", "id": "start", "profile": profile})
        started = await self._socket.receive_json(timeout=SILENCE_S)
        if started["type"] != "started":
            raise RuntimeError(f"no session was started: {started}")
        self.seen.in_flight = started["limits"]["inFlight"]
        for _ in range(self.seen.in_flight):
            await self._send()

    async def answers(self, count: int | None, seconds: float | None) -> None:
        """Go on until so many pictures are answered, or for so long; what is seen meanwhile is noted."""
        until_s = None if seconds is None else time.monotonic() + seconds
        while (count is None or len(self.seen.latencies_s) < count) and (until_s is None or time.monotonic() < until_s):
            await self._take(await self._socket.receive_json(timeout=SILENCE_S))

    def forget(self) -> None:
        """Note from now on."""
        self.seen = SeenAnswers(in_flight=self.seen.in_flight)

    async def _take(self, message: dict[str, Any]) -> None:
        data = message.get("data")
        if message.get("kind") == "detection" and data is not None and data.get("frameTs") in self._sent_s:
            self.seen.latencies_s.append(time.monotonic() - self._sent_s.pop(data["frameTs"]))
            self.seen.objects += len(data["objects"])
            await self._send()
            return
        for ts in lost_ts(message):
            if self._sent_s.pop(ts, None) is not None:
                self.seen.lost += 1
                await self._send()

    async def _send(self) -> None:
        # As a camera stamps them: a second apart, each detection would be stored, and told only after its commit.
        ts = self._clock()
        self._sent_s[ts] = time.monotonic()
        await self._socket.send_bytes(struct.pack("<Bd", 1, ts) + next(self._jpegs))


def lost_ts(message: dict[str, Any]) -> list[float]:
    """The pictures of which a message says that nobody will look at them."""
    if message.get("type") == "dropped" and message["what"] == "frame":
        return list(message.get("ts", []))
    if message.get("type") == "error" and "ts" in (message["error"].get("details") or {}):
        return [message["error"]["details"]["ts"]]
    return []


async def run(options: WsClientOptions, jpegs: Sequence[bytes]) -> SeenAnswers:
    """Raises TimeoutError when the server falls silent, ClientError or TypeError when it is gone."""
    async with (
        aiohttp.ClientSession(options.url) as http,
        http.ws_connect("/ws/stream", protocols=("vedette.v1",)) as socket,
    ):
        client = WsClient(socket, jpegs)
        await client.start(options.profile)
        await client.answers(WARM_UP, None)
        print("measuring", flush=True)
        client.forget()
        began_s = time.monotonic()
        await client.answers(None, options.seconds)
        client.seen.seconds = time.monotonic() - began_s
        print("measured", flush=True)
    return client.seen


if __name__ == "__main__":
    asked = WsClientOptions(**json.loads(sys.argv[1]))
    found = asyncio.run(run(asked, held_jpegs(load(Path(asked.cache)))))
    Path(asked.result).write_text(json.dumps(asdict(found)))
