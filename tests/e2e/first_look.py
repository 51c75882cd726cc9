"""A newcomer's first minutes, as a program: `make run` in a checkout, the page in Chromium, the demo.

It prints one JSON object with what was seen. With `--cut` it expects a network namespace of its own (`unshare --net`),
gives it a way out that leads nowhere, and also tells of every packet that tried to take it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from playwright.async_api import Page, async_playwright

READY_S = 1500
"""On a new machine `make run` downloads more than 2 GB."""
SETTINGS = {"VEDETTE_PORT": "0"}
FRAMES = "() => document.querySelector('video[data-shown=true]')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"
LOADED = """() => [...document.querySelectorAll('img')]
    .filter(image => image.src.includes('/artifacts/') && image.complete && image.naturalWidth > 0).length"""
WATCH_S = 4.0
SIZES = ((360, 740), (1280, 800), (1920, 1080))

REPOSITORY = Path(__file__).resolve().parents[2]
ETH_P_ALL = 0x0003
GATEWAY = "192.0.2.1"
"""An address for documentation (RFC 5737): there is nobody behind it."""
NAMESPACE = (
    "ip link set lo up",
    "ip link add way-out type veth peer name nowhere",
    "ip link set way-out up",
    "ip link set nowhere up",
    "ip address add 192.0.2.2/24 dev way-out",
    # A neighbour that is known without being asked: packets leave, and can be seen, instead of waiting for an answer.
    "ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev way-out nud permanent",
    "ip route add default via 192.0.2.1",
)


class Tap:
    """The far end of the way out: remembers who tried to reach whom."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((interface, 0))
        self._socket.setblocking(False)

    def seen(self) -> list[str]:
        """IPv4 packets since the last call, as `protocol address:port`."""
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = self._socket.recv(2048)
                if frame[12:14] == b"\x08\x00":
                    packets.append(_describe(frame[14:]))
        return packets

    def close(self) -> None:
        self._socket.close()


def _describe(packet: bytes) -> str:
    header = (packet[0] & 15) * 4
    protocol = {1: "icmp", 6: "tcp", 17: "udp"}.get(packet[9], str(packet[9]))
    address = socket.inet_ntoa(packet[16:20])
    port = int.from_bytes(packet[header + 2 : header + 4], "big") if protocol in ("tcp", "udp") else 0
    return f"{protocol} {address}:{port}"


@contextlib.contextmanager
def cut_off() -> Iterator[Tap]:
    """A way out of this network namespace that leads nowhere, and what is seen there; it does see what tries."""
    for command in NAMESPACE:
        subprocess.run(command.split(), check=True)
    tap = Tap("nowhere")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"is anybody there", ("198.51.100.1", 9))
    deadline = time.monotonic() + 5
    while "udp 198.51.100.1:9" not in tap.seen():
        if time.monotonic() > deadline:
            raise RuntimeError("a packet that left was not seen: what follows would prove nothing")
    yield tap
    tap.close()


@contextlib.asynccontextmanager
async def running(checkout: Path) -> AsyncIterator[tuple[str, dict[str, float]]]:
    """`make run` in an empty environment, until it is ready: its address, and when what was reached (seconds)."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    began_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "make",
        "run",
        cwd=checkout,
        env={**environment, **SETTINGS},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    url, at = "", {}
    try:
        async with asyncio.timeout(READY_S):
            while not (lines and lines[-1].startswith("ready")):
                line = (await process.stdout.readline()).decode()
                if not line:
                    raise RuntimeError("make run ended:\n" + "".join(lines))
                lines.append(line)
                if "console" in line and "http://" in line:
                    url, at["listening"] = line.split()[-1].rstrip("/"), time.monotonic() - began_s
        at["ready"] = time.monotonic() - began_s
        # From here on nobody reads what it prints; a full pipe would stop it.
        reader = asyncio.create_task(process.stdout.read())
        yield url, at
        os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()
            await reader
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def look(url: str, chromium: str, pictures: Path) -> dict[str, Any]:
    """Open the page, start the demo, and watch until objects came and went."""
    seen: dict[str, Any] = {"problems": []}
    async with async_playwright() as playwright, ClientSession() as http:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                # The browser itself must not look for anybody either; names of local addresses go by multicast.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
                "--disable-features=WebRtcHideLocalIpsWithMdns",
            ],
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: seen["problems"].append(str(error)))
        page.on("requestfailed", lambda request: _failed(seen, request))
        await page.goto(url)
        start = page.get_by_role("button", name="Start demo").first
        await start.wait_for()
        clicked_s = time.monotonic()
        await start.click()
        await _until(lambda: _frames(page, 1))
        seen["firstFrameS"] = round(time.monotonic() - clicked_s, 2)
        session = (await _json(http, f"{url}/sessions?order=newest&limit=1"))["sessions"][0]

        async def objects() -> list[dict[str, Any]]:
            page = await _json(http, f"{url}/sessions/{session['sessionId']}/events?kind=object&limit=1000")
            events: list[dict[str, Any]] = page["events"]
            return events

        async def came_and_went() -> bool:
            return any(event["data"]["phase"] == "left" for event in await objects())

        async def shown() -> bool:
            return bool(await page.evaluate(LOADED))

        await _until(shown)
        before, began_s = await page.evaluate(FRAMES), time.monotonic()
        await asyncio.sleep(WATCH_S)
        seen["fps"] = round((await page.evaluate(FRAMES) - before) / (time.monotonic() - began_s), 1)
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=pictures / f"{width}.png")
        await _until(came_and_went)
        seen["objects"] = [event["data"] for event in await objects()]
        seen["thumbnails"] = await page.evaluate(LOADED)
        seen["detector"] = (await _json(http, f"{url}/health"))["checks"]
        await browser.close()
    return seen


async def _json(http: ClientSession, url: str) -> Any:
    async with http.get(url) as response:
        response.raise_for_status()
        return await response.json()


async def _frames(page: Page, count: int) -> bool:
    return bool(await page.evaluate(FRAMES) >= count)


def _failed(seen: dict[str, Any], request: Any) -> None:
    # A picture that scrolls out of sight before it has come is no fault.
    if "ERR_ABORTED" not in (request.failure or ""):
        seen["problems"].append(f"{request.url}: {request.failure}")


async def _until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.05)


async def first_look(checkout: Path, chromium: str, pictures: Path) -> dict[str, Any]:
    """All of it; `timesS` says how long after `make run` what was reached."""
    async with running(checkout) as (url, at):
        return {"timesS": at, **await look(url, chromium, pictures)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("chromium")
    parser.add_argument("pictures", type=Path, help="folder for screenshots")
    parser.add_argument("--cut", action="store_true", help="prove that nothing tries to leave this network namespace")
    given = parser.parse_args()
    given.pictures.mkdir(parents=True, exist_ok=True)
    if not given.cut:
        seen = asyncio.run(first_look(given.checkout, given.chromium, given.pictures))
    else:
        with cut_off() as tap:
            seen = asyncio.run(first_look(given.checkout, given.chromium, given.pictures))
            seen["left"] = tap.seen()
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
