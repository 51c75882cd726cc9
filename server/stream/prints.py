"""What a session shows as messages, each made once on a thread, however many connections are sent it."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar
from weakref import WeakKeyDictionary

from av import VideoFrame

from signaling import messages
from tracks.jpeg import encode_jpeg
from tracks.vision import Shown

TAG = 129
QUALITY = 80
_HEAD = struct.Struct("<Bd")

T = TypeVar("T")


class Prints:
    """Binary and text messages of pictures, kept for as long as somebody holds the picture. Call on the event loop."""

    def __init__(self, threads: Executor, encode: Callable[[VideoFrame, int], bytes] = encode_jpeg) -> None:
        self._threads = threads
        self._encode = encode
        self._binary: WeakKeyDictionary[Shown, asyncio.Future[bytes]] = WeakKeyDictionary()
        self._text: WeakKeyDictionary[Shown, asyncio.Future[str]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._binary)

    async def binary(self, shown: Shown) -> bytes:
        """A tag, the picture's ts, and the JPEG."""
        return await self._once(self._binary, shown, lambda: self._as_binary(shown))

    async def text(self, shown: Shown) -> str:
        """A `frame` message."""
        made = await self.binary(shown)
        return await self._once(self._text, shown, lambda: _as_text(shown, made))

    async def _once(self, kept: WeakKeyDictionary[Shown, asyncio.Future[T]], shown: Shown, make: Callable[[], T]) -> T:
        making = kept.get(shown)
        if making is None:
            making = kept[shown] = asyncio.get_running_loop().run_in_executor(self._threads, make)
        # Who leaves takes nothing from the others who wait.
        return await asyncio.shield(making)

    def _as_binary(self, shown: Shown) -> bytes:
        """Blocking."""
        return _HEAD.pack(TAG, shown.ts) + self._encode(shown.frame, QUALITY)


def _as_text(shown: Shown, binary: bytes) -> str:
    """Blocking."""
    data = base64.b64encode(memoryview(binary)[_HEAD.size :]).decode()
    frame = shown.frame
    return messages.encode(
        {"type": "frame", "ts": shown.ts, "data": data, "width": frame.width, "height": frame.height}
    )
