"""Cameras for tests: real RTSP servers that can be killed and come back, and scripted ones that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from tests.children import decoders
from tests.waiting import until
from tracks.sources.rtsp import CameraSource

PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("gstreamer.py")
WITHOUT = (
    "no GStreamer RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{good,bad,ugly}"
)
BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,width={0},height={1},framerate={2}/1 ! "
SMALL = BALL.format(320, 180, 15)
X264 = (
    "x264enc tune=zerolatency speed-preset=ultrafast bframes=0 key-int-max={0}"
    " ! video/x-h264,profile=constrained-baseline"
)
H264 = SMALL + X264.format(15) + " ! rtph264pay name=pay0 pt=96 "
H265 = SMALL + "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph265pay name=pay0 pt=96 "
MJPEG = SMALL.replace("x-raw,", "x-raw,format=I420,") + "jpegenc ! rtpjpegpay name=pay0 pt=26 "
TONE = "audiotestsrc is-live=true wave=sine ! audioconvert ! audioresample ! "
AAC = TONE + "avenc_aac ! rtpmp4gpay name=pay1 pt=97 "
OPUS = TONE + "opusenc ! rtpopuspay name=pay1 pt=97 "
PCMU = TONE + "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1 pt=0 "
PCMA = TONE + "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 "

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@lru_cache(maxsize=1)
def has_gstreamer() -> bool:
    """Whether the system's Python can serve RTSP, with the encoders that the tests want."""
    elements = ("x264enc", "x265enc", "jpegenc", "avenc_aac", "opusenc", "rtph264pay")
    check = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        f"raise SystemExit(not all(Gst.ElementFactory.find(each) for each in {elements}))"
    )
    with contextlib.suppress(OSError):
        return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0
    return False


class Camera:
    """A camera with a port of its own, which it keeps. Leave it by `close`."""

    def __init__(self, pipeline: str, *credentials: str) -> None:
        if not has_gstreamer():
            pytest.skip(WITHOUT)
        self.pipeline = pipeline
        self.credentials = credentials
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        user = ":".join(self.credentials)
        return f"rtsp://{user}{'@' if user else ''}127.0.0.1:{self.port}/live"

    async def start(self) -> Camera:
        """Begin to serve, at the same port as before."""
        self._process = await asyncio.create_subprocess_exec(
            *(PYTHON, str(PROGRAM), str(self.port), self.pipeline, *self.credentials),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(20.0):
            said = (await self._process.stdout.readline()).split()
        assert said[:1] == [b"ready"], said
        self.port = int(said[1])
        return self

    async def kill(self) -> None:
        """As when its cable is pulled, but that the peer is told."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            # asyncio keeps the pipes of a process that was killed until they are read to their end.
            self._process._transport.close()  # type: ignore[attr-defined]
            self._process = None

    def stop(self, signal: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(signal)


@asynccontextmanager
async def camera(pipeline: str, *credentials: str) -> AsyncIterator[Camera]:
    """One that serves, and is gone with the block."""
    made = Camera(pipeline, *credentials)
    try:
        yield await made.start()
    finally:
        await made.kill()


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[int]:
    """The port of something that behaves as it is told to, towards each who connects."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def asked(reader: asyncio.StreamReader) -> tuple[str, str]:
    """(method, CSeq) of the next request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    number = next(line.split(":")[1].strip() for line in head.split("\r\n") if line.startswith("CSeq"))
    return head.split()[0], number


def answer(number: str, status: str = "200 OK", body: str = "", **headers: str) -> bytes:
    """A reply."""
    lines = [
        f"RTSP/1.0 {status}",
        f"CSeq: {number}",
        *(f"{name.replace('_', '-')}: {v}" for name, v in headers.items()),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode()


def describing(sdp: str, *, then: Script | None = None) -> Script:
    """A camera that describes itself so, agrees to everything, and once it is to play does `then`."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            method, number = await asked(reader)
            if method == "DESCRIBE":
                writer.write(answer(number, body=sdp, Content_Type="application/sdp"))
            elif method == "SETUP":
                writer.write(answer(number, Session="1;timeout=60", Transport="RTP/AVP/TCP;unicast;interleaved=0-1"))
            else:
                writer.write(answer(number))
            if method == "PLAY":
                await (then or _silence)(reader, writer)
                return

    return script


def encoded(size: tuple[int, int], pictures: int, codec: str = "libx264") -> list[bytes]:
    """Access units of a film of grey that gets brighter, each of them a byte stream; the first is a keyframe."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base = Fraction(1, 15)
    context.framerate = Fraction(15)
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    units = []
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(
            np.full((size[1] * 3 // 2, size[0]), 60 + 5 * (number % 30), np.uint8), format="yuv420p"
        )
        frame.pts = number
        units += [bytes(packet) for packet in context.encode(frame)]
    return units


class Sender:
    """Sends H.264 over a connection on which everything has been agreed: RFC 6184, one NAL unit in pieces."""

    def __init__(self, writer: asyncio.StreamWriter, payload_type: int = 96) -> None:
        self.writer = writer
        self.payload_type = payload_type
        self.sequence = 0

    async def send(self, unit: bytes, timestamp: int, *, part: float = 1.0) -> None:
        """A picture, or the first part of it."""
        nals = [nal for nal in re.split(rb"\x00\x00\x00?\x01", unit) if nal]
        pieces: list[bytes] = []
        for nal in nals:
            if len(nal) <= 1200:
                pieces.append(nal)
                continue
            for at in range(1, len(nal), 1200):
                edge = (0x80 if at == 1 else 0) | (0x40 if at + 1200 >= len(nal) else 0)
                pieces.append(bytes([nal[0] & 0xE0 | 28, edge | nal[0] & 0x1F]) + nal[at : at + 1200])
        for number, piece in enumerate(pieces[: max(1, round(part * len(pieces)))]):
            last = number == len(pieces) - 1
            head = bytes([0x80, (0x80 if last else 0) | self.payload_type])
            head += (self.sequence & 0xFFFF).to_bytes(2, "big") + (timestamp & 0xFFFF_FFFF).to_bytes(4, "big") + b"abcd"
            self.sequence += 1
            self.writer.write(b"$\0" + (len(head) + len(piece)).to_bytes(2, "big") + head + piece)
        await self.writer.drain()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def offering(*media: str) -> str:
    """SDP: each of `media` is the encoding of a stream, such as `video H264/90000`."""
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    for number, each in enumerate(media):
        kind, encoding = each.split(" ")
        lines += [f"m={kind} 0 RTP/AVP {96 + number}", f"a=rtpmap:{96 + number} {encoding}", f"a=control:track{number}"]
    return "\r\n".join([*lines, ""])


async def kill_readers(source: CameraSource) -> None:
    """Kill each process that reads the camera, as soon as it has shown a picture, until it is given up."""
    while source.state != "failed":
        found = decoders()
        if found and source.state == "live":
            found[0].kill()
            await until(lambda: source.state != "live")
        await asyncio.sleep(0)
