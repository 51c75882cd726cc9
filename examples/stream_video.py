"""Send a video file to a running server over `/ws/stream`, in JSON alone, and print what is seen and heard in it.

    make run                                                in one terminal
    .venv/bin/python examples/stream_video.py VIDEO.mp4     in another

`--help` lists the options. Only aiohttp and av are needed. Pictures and sound go out at the pace at which they were
filmed; a picture for which the server has no time is left out. When the connection breaks, it is made again: the
session goes on, and the events that were missed come first.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import aiohttp
import av
from av.audio.resampler import AudioResampler
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

PROTOCOL = "vedette.v1"
RATE = 16_000
"""Of the sound, in Hz."""
CHUNK_SAMPLES = RATE // 10
LATE_S = 1.0
"""What is this late, after an interruption, is not sent any more."""
GIVE_UP = {
    1000: "somebody ended the session",
    4400: "the server did not understand a message",
    4401: "a token is needed: --token",
    4403: "the token is not good for this",
    4404: "there is no such session any more",
    4409: "another client sends pictures for the session",
}
"""Close codes after which trying again is of no use."""


class Failed(Exception):
    """It cannot go on."""


def media(path: str, fps: float) -> Iterator[dict[str, Any]]:
    """The file as `frame` and `audio` messages in the order of their time; `ts` is in seconds. Blocking."""
    with av.open(path) as container:
        if not container.streams.video:
            raise Failed(f"{path} has no video")
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        encoder: av.VideoCodecContext | None = None
        sound, sound_s = b"", -1.0
        next_s = -1.0
        for frame in container.decode([*container.streams.video[:1], *container.streams.audio[:1]]):
            if isinstance(frame, av.AudioFrame):
                if sound_s < 0:
                    sound_s = frame.time or 0.0
                sound += b"".join(each.to_ndarray().tobytes() for each in resampler.resample(frame))
                while len(sound) >= 2 * CHUNK_SAMPLES:
                    chunk, sound = sound[: 2 * CHUNK_SAMPLES], sound[2 * CHUNK_SAMPLES :]
                    yield {"type": "audio", "ts": sound_s, "data": base64.b64encode(chunk).decode()}
                    sound_s += CHUNK_SAMPLES / RATE
            elif isinstance(frame, av.VideoFrame) and frame.time is not None and frame.time >= next_s:
                next_s = max(frame.time, next_s) + 1 / fps
                encoder = encoder or jpeg_encoder(frame.width, frame.height)
                yield {"type": "frame", "ts": frame.time, "data": base64.b64encode(jpeg(encoder, frame)).decode()}


def jpeg_encoder(width: int, height: int) -> av.VideoCodecContext:
    """What makes a JPEG of each frame."""
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1000)
    encoder.qmin = encoder.qmax = 3
    return encoder


def jpeg(encoder: av.VideoCodecContext, frame: av.VideoFrame) -> bytes:
    """One picture as a JPEG file: its range is 0 to 255, a video's mostly 16 to 235."""
    full = frame.reformat(
        format="yuvj420p", width=encoder.width, height=encoder.height, dst_color_range=ColorRange.JPEG
    )
    full.pict_type = PictureType.NONE  # not what it was in the film
    return b"".join(bytes(packet) for packet in encoder.encode(full))


class Client:
    """One session, over as many connections as it takes."""

    def __init__(self, messages: Iterator[dict[str, Any]]) -> None:
        self.session_id = ""
        self.seq = 0
        """Of the newest stored event that was seen."""
        self.counts = {"sent": 0, "detected": 0, "dropped": 0, "left out": 0}
        self._messages = messages
        self._next: dict[str, Any] | None = None
        self._began: float | None = None
        self._in_flight = 2
        self._unanswered: set[float] = set()
        self._failure: Exception | None = None

    async def run(self, http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        """Until the file is at its end. Raises Failed."""
        wait_s = 0.5
        while True:
            try:
                async with http.ws_connect(url, protocols=(PROTOCOL,), headers=headers) as socket:
                    if await self._talk(socket):
                        return
                    wait_s = 0.5
                    why = GIVE_UP.get(socket.close_code or 0)
                    if why:
                        raise Failed(why)
                    print(f"the connection broke ({socket.close_code})", flush=True)
            except aiohttp.WSServerHandshakeError as error:
                raise Failed(f"{url} answers {error.status}: {error.message}") from None
            except aiohttp.ClientConnectionError as error:
                print(f"no connection: {error}", flush=True)
            print(f"trying again in {wait_s:g} s", flush=True)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 10.0)

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """One connection: join, then send and listen. True when everything has been sent and answered."""
        self._unanswered.clear()
        if self.session_id:
            join = {"type": "attach", "sessionId": self.session_id, "after": self.seq, "publish": True}
        else:
            join = {"type": "start", "pipelines": ["vision", "audio"], "name": "stream_video.py"}
        await socket.send_json({"id": "join", **join})
        sending: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue
                heard = json.loads(message.data)
                if heard.get("type") in ("started", "attached"):
                    self.session_id = heard["sessionId"]
                    self._in_flight = heard.get("limits", {}).get("inFlight", self._in_flight)
                    print(f"{heard['type']}: session {self.session_id}", flush=True)
                    sending = asyncio.create_task(self._send(socket))
                elif heard.get("type") == "reply" and heard["id"] == "end":
                    return True
                elif heard.get("type") == "error" and heard.get("id") == "join":
                    raise Failed(f"{heard['error']['code']}: {heard['error']['message']}")
                else:
                    self._hear(heard)
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        return False

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            await self._send_all(socket)
        except ConnectionError:
            pass  # whoever listens notices, too
        except Exception as error:
            self._failure = error  # raised by whoever listens
            await socket.close()

    async def _send_all(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            if self._next is None:
                self._next = await asyncio.to_thread(next, self._messages, None)
            if self._next is None:
                await socket.send_json({"type": "end", "id": "end"})
                return
            message, ts = self._next, self._next["ts"]
            if self._began is None:
                self._began = time.monotonic() - ts
            await asyncio.sleep(max(0.0, self._began + ts - time.monotonic()))
            is_frame = message["type"] == "frame"
            if time.monotonic() - self._began - ts > LATE_S or (is_frame and len(self._unanswered) >= self._in_flight):
                self.counts["left out"] += is_frame
            else:
                await socket.send_json(message)
                if is_frame:
                    self._unanswered.add(ts)
                    self.counts["sent"] += 1
            self._next = None

    def _hear(self, heard: dict[str, Any]) -> None:
        """An event or a control message."""
        if heard.get("type") == "dropped" and heard["what"] == "frame":
            self.counts["dropped"] += heard["count"]
            self._unanswered.difference_update(heard.get("ts", ()))
        elif heard.get("type") == "error":
            print(f"error: {heard['error']['message']}", flush=True)
            self._unanswered.discard(heard["error"].get("details", {}).get("ts"))
        elif heard.get("type") == "gap":
            print(f"events {heard['from']} to {heard['to']} are gone", flush=True)
        elif "kind" in heard:
            if heard["kind"] == "detection" and heard["data"].get("frameTs") in self._unanswered:
                self._unanswered.discard(heard["data"]["frameTs"])
                self.counts["detected"] += 1
            if heard["seq"] is not None and heard["seq"] > self.seq:  # what is stored may come twice
                self.seq = heard["seq"]
                if line := told(heard):
                    print(line, flush=True)


def told(event: dict[str, Any]) -> str:
    """A stored event in one line; empty for those that come all the time."""
    data, kind = event["data"], event["kind"]
    at = "        " if event["mediaTime"] is None else f"{event['mediaTime']:6.2f} s"
    if kind == "object":
        return f"{at}  {data['label']} {data['trackId']} {data['phase']}"
    if kind == "transcript":
        return f"{at}  “{data['text']}”"
    if kind == "session":
        return f"{at}  session: {data.get('state') or data.get('change')}"
    if kind == "error":
        return f"{at}  error: {data['code']}: {data['message']}"
    return ""


async def main() -> None:
    """Read the arguments, then stream."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", help="a file with video, and sound if you like")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--token", help="where the server asks for one")
    parser.add_argument("--fps", type=float, default=10.0, help="pictures a second at most (default 10)")
    options = parser.parse_args()
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    client = Client(media(options.video, options.fps))
    async with aiohttp.ClientSession() as http:
        await client.run(http, f"{options.server}/ws/stream", headers)
    print("pictures: " + ", ".join(f"{count} {what}" for what, count in client.counts.items()))
    print(f"its events: {options.server}/sessions/{client.session_id}/events")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (Failed, av.error.FFmpegError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)
