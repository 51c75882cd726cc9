"""The bare echo: what aiortc alone does with a camera. The incoming track goes back as it is, with nothing in between.

Run as `python -m bench.echo_server PORT`. `/metrics` tells the loop's lag, measured by the same code as in this server.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from server.looplag import LoopLag

from .scrape import LAG


class Echo:
    """Peers whose own track is sent back to them."""

    def __init__(self) -> None:
        self._peers: set[RTCPeerConnection] = set()

    async def offer(self, request: web.Request) -> web.Response:
        """`{sdp, type}` -> `{sdp, type}`."""
        body = await request.json()
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.add(pc)

        @pc.on("track")
        def send_back(track: MediaStreamTrack) -> None:
            pc.addTrack(track)

        @pc.on("connectionstatechange")
        async def forget() -> None:
            if pc.connectionState in ("failed", "closed"):
                self._peers.discard(pc)
                await pc.close()

        await pc.setRemoteDescription(RTCSessionDescription(sdp=body["sdp"], type=body["type"]))
        await pc.setLocalDescription(await pc.createAnswer())
        return web.json_response({"sdp": pc.localDescription.sdp, "type": pc.localDescription.type})

    async def close(self, app: web.Application) -> None:
        """Close every peer."""
        await asyncio.gather(*(pc.close() for pc in list(self._peers)))


async def main(port: int) -> None:
    """Serve until the process is told to end."""
    lag = LoopLag()
    echo = Echo()

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=f'{LAG}{{quantile="0.99"}} {lag.p99_ms / 1e3:.6f}\n')

    app = web.Application()
    app.add_routes([web.post("/offer", echo.offer), web.get("/metrics", metrics)])
    app.on_cleanup.append(echo.close)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    runner = web.AppRunner(app)
    await runner.setup()
    lag.start()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await ended.wait()
    finally:
        await lag.stop()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
