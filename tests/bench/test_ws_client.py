"""The client of the phase `ws`."""

from __future__ import annotations

import itertools
from collections import deque
from functools import partial
from typing import Any, cast

import aiohttp
import pytest

from bench.ws_client import WsClient, lost_ts


class Server:
    """Answers each picture as it is told to."""

    def __init__(self, *says: dict[str, Any]) -> None:
        self.pictures: list[bytes] = []
        self._says = deque((STARTED, *says))

    async def send_json(self, message: dict[str, Any]) -> None:
        assert message["type"] == "start"

    async def send_bytes(self, data: bytes) -> None:
        self.pictures.append(data)

    async def receive_json(self, timeout: float) -> dict[str, Any]:
        return self._says.popleft()


STARTED = {"type": "started", "limits": {"inFlight": 2}}


def detection(ts: float) -> dict[str, Any]:
    return {"kind": "detection", "data": {"frameTs": ts, "objects": [{}, {}]}}


async def client(server: Server) -> WsClient:
    made = WsClient(cast(aiohttp.ClientWebSocketResponse, server), [b"a", b"b"], partial(next, itertools.count(0.0)))
    await made.start("accurate")
    return made


async def test_two_pictures_are_on_their_way_and_the_next_goes_with_each_answer() -> None:
    """A detection that comes twice, since it was stored, counts once."""
    server = Server(detection(0.0), {"kind": "metric", "data": {}}, detection(0.0), detection(1.0))
    it = await client(server)
    assert [each[9:] for each in server.pictures] == [b"a", b"b"]
    await it.answers(2, None)
    assert [each[9:] for each in server.pictures] == [b"a", b"b", b"a", b"b"]
    assert (len(it.seen.latencies_s), it.seen.objects, it.seen.lost) == (2, 4, 0)


async def test_what_is_lost_is_counted_and_replaced() -> None:
    """Else the client would wait for ever for its answer."""
    server = Server({"type": "dropped", "what": "frame", "count": 1, "ts": [0.0]}, detection(1.0))
    it = await client(server)
    await it.answers(1, None)
    assert (it.seen.lost, len(server.pictures)) == (1, 4)


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ({"type": "dropped", "what": "frame", "count": 2, "ts": [1.0, 2.0]}, [1.0, 2.0]),
        ({"type": "dropped", "what": "event", "count": 2, "ts": [1.0, 2.0]}, []),
        ({"type": "error", "error": {"code": "invalid_request", "details": {"ts": 3.0}}}, [3.0]),
        ({"type": "error", "error": {"code": "invalid_request"}}, []),
        (detection(1.0), []),
    ],
)
def test_only_pictures_are_lost(message: dict[str, Any], lost: list[float]) -> None:
    """Dropped or refused; not events, and not what was found."""
    assert lost_ts(message) == lost
