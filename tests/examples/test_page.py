"""`examples/page.html` in a real Chromium, served as its comment says."""

from __future__ import annotations

import asyncio
import functools
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, async_playwright

from tests.e2e.browsing import FLAGS, filming
from tests.serving import REPOSITORY

COLOURED = """
() => {
  const video = document.querySelector('video');
  if (video.videoWidth === 0) return 0;
  const canvas = Object.assign(document.createElement('canvas'), {width: video.videoWidth, height: video.videoHeight});
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue] = [data[i], data[i + 1], data[i + 2]];
    if (Math.abs(red - 65) < 45 && Math.abs(green - 211) < 45 && Math.abs(blue - 146) < 45) count += 1;
  }
  return count;
}
"""
"""How many pixels of the returned picture have the colour of the boxes around people."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """What `python3 -m http.server` runs, without its log."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Where the folder of the examples is served."""
    handler = functools.partial(Quiet, directory=str(REPOSITORY / "examples"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
async def page(chromium: str, camera_file: Path) -> AsyncIterator[Page]:
    """A page in a headless Chromium whose camera shows people."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *filming(camera_file)])
        yield await browser.new_page()
        await browser.close()


async def test_a_camera_comes_back_annotated(start_server: Any, origin: str, page: Page) -> None:
    """One click: boxes around people in the picture, events in the list; another ends the session.

    From an origin that was not allowed nothing comes of it but a message.
    """
    server = await start_server(VEDETTE_ALLOWED_ORIGINS=origin)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    start, state = page.get_by_role("button", name="Start camera"), page.locator("#state")
    async with ClientSession(server.url) as client:
        await page.goto(f"{origin.replace('127.0.0.1', 'localhost')}/page.html?server={server.url}")
        await start.click()
        await page.locator("#state", has_text="failed").wait_for()
        assert await start.is_enabled()
        assert (await (await client.get("/sources")).json())["sources"] == []

        await page.goto(f"{origin}/page.html?server={server.url}")
        await start.click()
        async with asyncio.timeout(40):
            while await page.evaluate(COLOURED) < 500:
                assert "failed" not in await state.inner_text()
                await asyncio.sleep(0.1)
        assert await state.inner_text() == "connected"
        await page.locator("#events li", has_text="person 1 entered").wait_for()
        await page.locator("#events li", has_text="session live").wait_for()
        await page.get_by_role("button", name="Stop").click()
        await page.locator("#state", has_text="stopped").wait_for()
        (session,) = (await (await client.get("/sessions")).json())["sessions"]
    assert session["state"] == "ended"
    assert problems == []
