"""aiortc as what others would use: a WHIP client and a WHEP player of a running server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from tests.fakes import Camera, picture
from tests.server.clients import Api, has_state, until_async

SDP = {"Content-Type": "application/sdp"}
OFFERS = Path(__file__).parents[1] / "signaling/offers"
"""Of real clients."""
PLAYER = (Path(__file__).parents[2] / "docs/samples/whep-offer.sdp").read_text()
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


class Packets(MediaStreamTrack):
    """H.264 as x264 makes it, at its own pace: with `b_frames` it is sent in another order than it is shown."""

    kind = "video"

    def __init__(self, *, b_frames: int, profile: str = "main") -> None:
        super().__init__()
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt, codec.time_base = 320, 180, "yuv420p", Fraction(1, 30)
        codec.gop_size = 12
        codec.options = {"bf": str(b_frames), "b-adapt": "0", "x264-params": "repeat-headers=1"}
        codec.profile = profile
        frames = [picture(100 + n, (320, 180)) for n in range(24)]
        for n, frame in enumerate(frames):
            frame.pts, frame.time_base = n, Fraction(1, 30)
        self._packets = [packet for frame in (*frames, None) for packet in codec.encode(frame)]
        self._sent = 0

    async def recv(self) -> Any:
        await asyncio.sleep(1 / 30)
        turn, n = divmod(self._sent, len(self._packets))
        self._sent += 1
        packet = av.Packet(bytes(self._packets[n]))
        pts = self._packets[n].pts
        assert pts is not None
        packet.pts, packet.time_base = turn * len(self._packets) + pts, Fraction(1, 30)
        return packet


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
        self.profile = ""
        """Of H.264, as it is offered."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, *tracks: MediaStreamTrack, bare: bool = False) -> Whip:
        """Send these tracks, a film unless given; a `bare` offer has no candidates."""
        for track in tracks or (self.camera,):
            transceiver = self.pc.addTransceiver(track, "sendonly")
            if isinstance(track, Packets):
                codecs = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([codec for codec in codecs if codec.name == "H264"])
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
        if self.profile:
            sdp = re.sub("profile-level-id=[0-9a-f]+", f"profile-level-id={self.profile}", sdp)
        if bare:
            sdp = "".join(line for line in sdp.splitlines(True) if not line.startswith(("a=candidate", "a=end-of")))
        self.response = await self.post(sdp)
        assert self.response.status == 201, await self.response.text()
        self.answer = await self.response.text()
        self.location = self.response.headers["Location"]
        # aiortc itself knows no other profile than baseline.
        answer = re.sub("profile-level-id=[0-9a-f]+", "profile-level-id=42e01f", self.answer)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

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


async def published(api: Api, peers: list[Whip], session_id: str) -> Whip:
    """A film on its way into a session that is live."""
    peer = Whip(api, f"/sessions/{session_id}/whip")
    peers.append(peer)
    await peer.publish()
    await until_async(lambda: has_state(api, session_id, "live"))
    return peer
