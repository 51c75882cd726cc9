"""A client of `/ws/stream`."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from typing import Any

import cv2
import numpy as np
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient

from tests.waiting import until

PROTOCOL = "vedette.v1"
SIZE = (640, 360)


def jpeg(x: int | None = 200, size: tuple[int, int] = SIZE) -> bytes:
    """A dark picture with a bright rectangle, as `tests.fakes.picture` shows it."""
    width, height = size
    image = np.full((height, width, 3), 30, np.uint8)
    if x is not None:
        image[100:200, x : x + 60] = 230
    done, data = cv2.imencode(".jpg", image)
    assert done
    return data.tobytes()


JPEG = jpeg()


class Stream:
    """An open connection, which reads all the time."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.binary: list[bytes] = []
        self._reading = asyncio.create_task(self._read())

    @property
    def close_code(self) -> int | None:
        """The code that the server closed with, once it has."""
        return self.socket.close_code if self._reading.done() else None

    async def closed(self) -> int | None:
        """Wait until the server has closed; returns the code."""
        async with asyncio.timeout(30):
            await asyncio.shield(self._reading)
        return self.socket.close_code

    async def close(self) -> None:
        await self.socket.close()
        await self._reading

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Say it, and wait for the answer with its id."""
        await self.say(**message)
        return await self.answer(message["id"])

    async def answer(self, id: str) -> dict[str, Any]:
        await until(lambda: any(each.get("id") == id and "type" in each for each in self.messages))
        return next(each for each in self.messages if each.get("id") == id and "type" in each)

    async def start(self, **options: Any) -> dict[str, Any]:
        started = await self.ask(type="start", id="start", profile="accurate", **options)
        assert started["type"] == "started", started
        return started

    async def command(self, name: str, **args: Any) -> dict[str, Any]:
        return await self.ask(type="command", id=f"{name}-{len(self.messages)}", name=name, args=args)

    async def frame(self, ts: float, data: bytes = JPEG, **more: Any) -> None:
        await self.say(type="frame", ts=ts, data=base64.b64encode(data).decode(), **more)

    async def image(self, ts: float, data: bytes = JPEG) -> None:
        await self.socket.send_bytes(struct.pack("<Bd", 1, ts) + data)

    async def pcm(self, ts: float, samples: Any) -> None:
        """Binary sound of 16 kHz, -1 to 1."""
        await self.socket.send_bytes(struct.pack("<Bd", 2, ts) + (samples * 32767).astype("<i2").tobytes())

    def types(self, type: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each.get("type") == type]

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.messages if each.get("kind") == kind]

    def seqs(self) -> list[int]:
        return [each["seq"] for each in self.messages if each.get("kind") and each["seq"] is not None]

    def outcomes(self) -> dict[float, list[str]]:
        """What became of each frame, by its ts."""
        found: dict[float, list[str]] = {}
        for each in self.messages:
            if each.get("kind") == "detection" and "frameTs" in each["data"]:
                found.setdefault(each["data"]["frameTs"], []).append("detection")
            elif each.get("type") == "dropped":
                for ts in each.get("ts", []):
                    found.setdefault(ts, []).append("dropped")
            elif each.get("type") == "error" and "ts" in (each["error"].get("details") or {}):
                found.setdefault(each["error"]["details"]["ts"], []).append("error")
        return found

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type == WSMsgType.TEXT:
                self.messages.append(json.loads(message.data))
            elif message.type == WSMsgType.BINARY:
                self.binary.append(message.data)


async def connect(http: TestClient[Any, Any], query: str = "", **options: Any) -> Stream:
    """Connect as a client of protocol 1 does."""
    options.setdefault("protocols", (PROTOCOL,))
    return Stream(await http.ws_connect(f"/ws/stream{query}", **options))
