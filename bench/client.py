"""The client of every phase, a process of its own: an unmodified aiortc peer that films the content and meets it again.

One number of aiortc is set: its VP8 encoder begins at 500 kb/s by itself, and here at the 1.5 Mb/s that are also its
maximum. Run as `python -m bench.client JSON`. It tells its progress on stdout, one word a line (`live`, `measuring`,
`measured`), stays until its stdin ends, and writes what it saw.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection
from aiortc.codecs import vpx
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av import VideoFrame

from . import strip
from .content import FPS, Content, load
from .negotiate import offer, open_session

BITRATE = 1_500_000
CONNECT_TIMEOUT_S = 120.0
"""A server that has to load its model first may need this long to answer."""
STALL_S = 15.0
"""Without a returned frame for this long the run has failed."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What one run of the client does."""

    url: str
    cache: str
    """Folder of the rendered content."""
    result: str
    """File for what was seen."""
    seconds: float
    warmup_s: float = 10.0
    """From the first returned frame to the start of the measured time."""
    overlay: str | None = None
    """None talks to the echo; `smooth` or `exact` to this server."""
    profile: str | None = None


@dataclass(slots=True)
class Seen:
    """What the client saw in the measured time; times on CLOCK_MONOTONIC, which all processes of a machine share."""

    began_s: float = 0.0
    ended_s: float = 0.0
    frames: list[tuple[int, float, float]] = field(default_factory=list)
    """(number, handed to the encoder, received back) of every returned frame whose number could be read."""
    unreadable: int = 0
    sent: int = 0
    """Frames handed to the encoder."""
    skipped: int = 0
    """Frames that the client itself was too late for: a camera would lose them too."""
    sent_bps: float = 0.0
    returned_bps: float = 0.0
    first_frame_s: float = 0.0
    """From the offer to the first returned frame, before the measured time."""
    events: dict[str, int] = field(default_factory=dict)
    """Messages on the data channels, by kind or type."""
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """`data` of every `metric` event."""


class NumberedTrack(MediaStreamTrack):
    """The content at 30 frames per second by the monotonic clock, each frame with its number in the strip."""

    kind = "video"

    def __init__(self, content: Content) -> None:
        super().__init__()
        self.sent_s: dict[int, float] = {}
        """When each number was handed to the encoder."""
        self.sent = 0
        self.skipped = 0
        self._content = content
        self._number = -1
        self._started_s = 0.0

    async def recv(self) -> VideoFrame:
        """The next frame when its time has come; numbers more than a frame late are skipped, not sent in a burst."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._number < 0:
            self._started_s = time.monotonic()
        number = self._number + 1
        due = math.floor((time.monotonic() - self._started_s) * FPS)
        if due > number + 1:
            self.skipped += due - number
            number = due
        self._number = number
        frame = self._content.frame(self._content.index(number), number)
        frame.pts, frame.time_base = number * (VIDEO_CLOCK_RATE // FPS), VIDEO_TIME_BASE
        await asyncio.sleep(max(0.0, self._started_s + number / FPS - time.monotonic()))
        self.sent_s[number % strip.NUMBERS] = time.monotonic()
        self.sent += 1
        return frame


class Client:
    """One camera, one peer connection, and what came back."""

    def __init__(self, options: ClientOptions, content: Content) -> None:
        self._options = options
        self._camera = NumberedTrack(content)
        self._seen = Seen()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._receiver = self._pc.addTransceiver(self._camera, direction="sendrecv").receiver

    async def run(self, tell: Callable[[str], None], closing: asyncio.Future[bytes]) -> Seen:
        """Connect, warm up, measure, go on until `closing`, disconnect.

        Raises ConnectionError when no frame comes back, aiohttp.ClientResponseError when the server refuses.
        """
        async with AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(CONNECT_TIMEOUT_S)
            http = await stack.enter_async_context(
                aiohttp.ClientSession(self._options.url, raise_for_status=True, timeout=timeout)
            )
            stack.push_async_callback(self._pc.close)
            first_s = await self._connect(http)
            tell("live")
            await self._meet_until(first_s + self._options.warmup_s)
            await self._measure(tell)
            while not closing.done():
                await self._meet()
        return self._seen

    async def _connect(self, http: aiohttp.ClientSession) -> float:
        path = ""
        if self._options.overlay is not None:
            self._listen("events", ordered=True)
            self._listen("live", ordered=False, maxRetransmits=0)
            path = await open_session(http, self._options.overlay, self._options.profile)
        offered_s = time.monotonic()
        await offer(self._pc, http, path)
        await self._meet()
        first_s = time.monotonic()
        self._seen.first_frame_s = first_s - offered_s
        return first_s

    async def _measure(self, tell: Callable[[str], None]) -> None:
        seen, camera = self._seen, self._camera
        seen.frames.clear()
        seen.metrics.clear()
        seen.events.clear()
        seen.unreadable, seen.sent, seen.skipped = 0, -camera.sent, -camera.skipped
        sent, returned = await self._traffic()
        tell("measuring")
        seen.began_s = time.monotonic()
        await self._meet_until(seen.began_s + self._options.seconds)
        seen.ended_s = time.monotonic()
        tell("measured")
        sent_after, returned_after = await self._traffic()
        seen.sent_bps = (sent_after - sent) * 8 / (seen.ended_s - seen.began_s)
        seen.returned_bps = (returned_after - returned) * 8 / (seen.ended_s - seen.began_s)
        seen.sent += camera.sent
        seen.skipped += camera.skipped

    async def _meet_until(self, end_s: float) -> None:
        while time.monotonic() < end_s:
            await self._meet()

    async def _meet(self) -> None:
        """Take one returned frame."""
        try:
            frame = await asyncio.wait_for(self._receiver.track.recv(), STALL_S)
        except (MediaStreamError, TimeoutError) as error:
            state = f"the connection is {self._pc.connectionState}, ICE {self._pc.iceConnectionState}"
            raise ConnectionError(f"no frame came back any more ({type(error).__name__}); {state}") from error
        received_s = time.monotonic()
        if self._seen.ended_s:
            return
        number = strip.read(frame) if isinstance(frame, VideoFrame) else None
        sent_s = None if number is None else self._camera.sent_s.get(number)
        if number is None or sent_s is None:
            self._seen.unreadable += 1
        else:
            self._seen.frames.append((number, sent_s, received_s))

    def _listen(self, label: str, *, ordered: bool, maxRetransmits: int | None = None) -> None:
        channel: RTCDataChannel = self._pc.createDataChannel(
            label, ordered=ordered, maxRetransmits=maxRetransmits, protocol="vedette.v1"
        )
        channel.on("message", self._message)

    def _message(self, text: str) -> None:
        message = json.loads(text)
        if self._seen.ended_s:
            return
        kind = message.get("kind") or message["type"]
        self._seen.events[kind] = self._seen.events.get(kind, 0) + 1
        if kind == "metric":
            self._seen.metrics.append(message["data"])

    async def _traffic(self) -> tuple[int, int]:
        """Bytes of all transports so far: (sent, received)."""
        stats = [s for s in (await self._pc.getStats()).values() if s.type == "transport"]
        return sum(s.bytesSent for s in stats), sum(s.bytesReceived for s in stats)


async def main(options: ClientOptions) -> Seen:
    """Run one client; the parent speaks through stdin and listens on stdout."""
    vpx.DEFAULT_BITRATE = BITRATE
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    closing = asyncio.ensure_future(reader.read())
    try:
        content = load(Path(options.cache))
        return await Client(options, content).run(lambda word: print(word, flush=True), closing)
    finally:
        closing.cancel()
        pipe.close()


if __name__ == "__main__":
    asked = ClientOptions(**json.loads(sys.argv[1]))
    Path(asked.result).write_text(json.dumps(asdict(asyncio.run(main(asked)))))
