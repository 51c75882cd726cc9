"""How a client of the benchmark reaches a server: this one's sessions, or the bare echo's one route."""

from __future__ import annotations

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription


async def open_session(http: aiohttp.ClientSession, overlay: str, profile: str | None = None) -> str:
    """A new webcam source and a vision session on it; returns the path of its offers' resource, `/sessions/{id}`.

    Raises aiohttp.ClientResponseError when the server refuses.
    """
    async with http.post("/sources", json={"kind": "webcam", "name": "bench"}) as answer:
        source = (await answer.json())["sourceId"]
    wanted = {"sourceId": source, "pipelines": ["vision"], "overlay": overlay}
    if profile is not None:
        wanted["profile"] = profile
    async with http.post("/sessions", json=wanted) as answer:
        return f"/sessions/{(await answer.json())['sessionId']}"


async def offer(pc: RTCPeerConnection, http: aiohttp.ClientSession, path: str) -> None:
    """Offer what `pc` holds to `{path}/offer` and take the answer; an empty path is the echo."""
    await pc.setLocalDescription(await pc.createOffer())
    local = pc.localDescription
    async with http.post(f"{path}/offer", json={"sdp": local.sdp, "type": local.type}) as answer:
        body = await answer.json()
    await pc.setRemoteDescription(RTCSessionDescription(sdp=body["sdp"], type=body["type"]))
