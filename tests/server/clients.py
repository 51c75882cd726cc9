"""A client of a running server over REST, and one that behaves like the page over WebRTC."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from server.app import Server
from tests.fakes import Camera


class Api:
    """A running server with a detector that finds bright rectangles, and a client of it."""

    def __init__(self, server: Server, http: TestClient[Any, Any]) -> None:
        self.server = server
        self.http = http

    async def make_session(self, kind: str = "webcam", **options: Any) -> str:
        source = await (await self.http.post("/sources", json={"kind": kind, "name": "desk"})).json()
        response = await self.http.post("/sessions", json={"sourceId": source["sourceId"], **options})
        assert response.status == 201, await response.text()
        body = await response.json()
        assert response.headers["Location"] == f"/sessions/{body['sessionId']}"
        return str(body["sessionId"])

    async def session(self, session_id: str) -> dict[str, Any]:
        body: dict[str, Any] = await (await self.http.get(f"/sessions/{session_id}")).json()
        return body

    async def events(self, session_id: str, **query: str) -> list[dict[str, Any]]:
        body = await (await self.http.get(f"/sessions/{session_id}/events", params=query)).json()
        events: list[dict[str, Any]] = body["events"]
        return events


class Browser:
    """An aiortc peer that behaves like the page: a camera, both data channels, and the returned picture."""

    def __init__(
        self,
        api: Api,
        session_id: str,
        *,
        publish: bool = True,
        listen: bool = False,
        tracks: Sequence[MediaStreamTrack] = (),
    ) -> None:
        self.api = api
        self.session_id = session_id
        self.camera = Camera()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.publish = publish and not tracks
        self.tracks = tracks
        """What it publishes in place of its camera."""
        self.audio_codec: str | None = None
        """The only one that it offers for its sound, as "PCMU"; None for all."""
        self.listen = listen
        self.filming = asyncio.Event()
        self.filming.set()
        self.messages: list[dict[str, Any]] = []
        self.live: list[dict[str, Any]] = []
        self.pictures: list[int] = []
        self.loudness: list[float] = []
        """RMS of each frame of sound, 1 being full scale."""
        self.location = ""
        self.channel: RTCDataChannel | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> Browser:
        for track in self.tracks or ((self.camera,) if self.publish else ()):
            transceiver = self.pc.addTransceiver(track, "sendrecv")
            if track.kind == "audio" and self.audio_codec is not None:
                codecs = RTCRtpSender.getCapabilities("audio").codecs
                transceiver.setCodecPreferences([each for each in codecs if each.name == self.audio_codec])
        if not self.publish and not self.tracks:
            self.pc.addTransceiver("video", "recvonly")
        if self.listen:
            self.pc.addTransceiver("audio", "recvonly")
        self.channel = self.pc.createDataChannel("events", protocol="vedette.v1")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))
        live = self.pc.createDataChannel("live", ordered=False, maxRetransmits=0)
        live.on("message", lambda text: self.live.append(json.loads(text)))
        self.pc.on("track", lambda track: self._spawn(self._watch(track)))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        response = await self.api.http.post(
            f"/sessions/{self.session_id}/offer", json={"sdp": self.pc.localDescription.sdp, "type": "offer"}
        )
        assert response.status == 201, await response.text()
        answer = await response.json()
        self.location = response.headers["Location"]
        assert self.location == f"/sessions/{self.session_id}/peers/{answer['peerId']}"
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        if self.publish:
            self._spawn(self._film())
        return self

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.pc.close()

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in [*self.messages, *self.live] if message.get("kind") == kind]

    def live_kinds(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.live if message.get("kind") == kind]

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.ensure_future(work))

    async def _film(self) -> None:
        n = 0
        while await self.filming.wait():
            self.camera.show(n * 3000, x=100 + n % 400)
            n += 1
            await asyncio.sleep(1 / 30)

    async def _watch(self, track: Any) -> None:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.pictures.append(frame.pts)
            else:
                samples = frame.to_ndarray().astype(np.float64) / 32768
                self.loudness.append(float(np.sqrt(np.mean(samples**2))))


async def problem(response: ClientResponse) -> tuple[int, str, str]:
    body = (await response.json())["error"]
    return response.status, body["code"], body["message"]


async def has_state(api: Api, session_id: str, state: str) -> bool:
    return bool((await api.session(session_id))["state"] == state)


async def no_peers(api: Api, session_id: str) -> bool:
    return bool((await api.session(session_id))["peers"] == 0)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)
