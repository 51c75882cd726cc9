"""aiortc as what others would use: a WHIP client and a WHEP player of a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.fakes import Camera
from tests.server.clients import Api

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


class Whip:
    """Publishes to an endpoint, or plays it."""

    def __init__(self, api: Api, path: str, headers: dict[str, str] | None = None) -> None:
        self.api = api
        self.path = path
        self.headers = headers or {}
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.camera = Camera()
        self.pictures: list[Any] = []
        self.sound = 0
        self.answer = ""
        self.response: Any = None
        self.location = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, *tracks: MediaStreamTrack, bare: bool = False) -> Whip:
        """Send these tracks, a film unless given; a `bare` offer has no candidates."""
        for track in tracks or (self.camera,):
            self.pc.addTransceiver(track, "sendonly")
        await self._connect(bare)
        if not tracks:
            self._spawn(self._film())
        return self

    async def play(self, kinds: Sequence[str] = ("video",)) -> Whip:
        """Receive these kinds."""
        for kind in kinds:
            self.pc.addTransceiver(kind, "recvonly")
        self.pc.on("track", lambda track: self._spawn(self._watch(track)))
        await self._connect(bare=False)
        return self

    async def post(self, sdp: str) -> Any:
        return await self.api.http.post(self.path, data=sdp, headers={**SDP, **self.headers})

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.pc.close()

    async def _connect(self, bare: bool) -> None:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp = self.pc.localDescription.sdp
        if bare:
            sdp = "".join(line for line in sdp.splitlines(True) if not line.startswith(("a=candidate", "a=end-of")))
        self.response = await self.post(sdp)
        assert self.response.status == 201, await self.response.text()
        self.answer = await self.response.text()
        self.location = self.response.headers["Location"]
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.ensure_future(work))

    async def _film(self) -> None:
        n = 0
        while True:
            self.camera.show(n * 3000, x=100 + n % 400)
            n += 1
            await asyncio.sleep(1 / 30)

    async def _watch(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.pictures.append(frame)
            else:
                self.sound += 1
