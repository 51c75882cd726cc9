from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page

from tests.e2e.browsing import browsing, filming

GREEN_OF_PEOPLE = """
() => {
  const video = document.querySelector('video[data-shown]');
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


@pytest.fixture
async def page(chromium: str, camera_file: Path) -> AsyncIterator[Page]:
    """A page in a headless Chromium whose camera shows people."""
    async with browsing(chromium, *filming(camera_file)) as context:
        yield await context.new_page()


async def events_of(http: ClientSession, url: str, **query: str) -> list[dict[str, Any]]:
    sessions = (await (await http.get(f"{url}/sessions")).json())["sessions"]
    response = await http.get(f"{url}/sessions/{sessions[-1]['sessionId']}/events", params=query)
    events: list[dict[str, Any]] = (await response.json())["events"]
    return events


@pytest.mark.parametrize("weights", ["bundled", "shared"])
async def test_a_browsers_camera_comes_back_annotated(
    start_server: Any, page: Page, request: pytest.FixtureRequest, weights: str, tmp_path: Path
) -> None:
    """One click: the camera's picture returns with boxes on people, and events beside it."""
    settings = {}
    if weights == "shared":
        folder: Path = request.getfixturevalue("shared")
        settings["VEDETTE_DETECTOR"] = str(folder / "models/yolov8n_int8_openvino_model")
    server = await start_server(**settings)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # A refused script is a fault; a peer that the server has closed before the page could is none.
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    await page.goto(server.url)
    start = page.get_by_role("button", name="Camera", exact=True)
    await start.wait_for()
    await start.click()
    async with ClientSession() as http:
        async with asyncio.timeout(30):
            while await page.evaluate(GREEN_OF_PEOPLE) < 500:
                await asyncio.sleep(0.1)
            while not (entered := await events_of(http, server.url, kind="object")):
                await asyncio.sleep(0.1)
        assert entered[0]["data"]["label"] == "person"
        assert entered[0]["data"]["phase"] == "entered"
        detections = await events_of(http, server.url, kind="detection")
        sizes = {json.dumps(event["data"]["frame"]) for event in detections}
        people = [seen for event in detections for seen in event["data"]["objects"] if seen["label"] == "person"]
        assert people
        assert all(0 <= seen["box"][0] < seen["box"][2] <= 1280 for seen in people), sizes
        states = [event["data"]["state"] for event in await events_of(http, server.url, kind="session")]
        assert states[:2] == ["connecting", "live"]

        # The picture plays on.
        frames = "document.querySelector('video[data-shown]').getVideoPlaybackQuality().totalVideoFrames"
        before = await page.evaluate(frames)
        async with asyncio.timeout(20):
            while await page.evaluate(frames) < before + 15:
                await asyncio.sleep(0.1)
        await page.screenshot(path=tmp_path / f"{weights}.png")

        await page.get_by_role("button", name="Stop", exact=False).first.click()
        async with asyncio.timeout(10):
            while (await (await http.get(f"{server.url}/sessions")).json())["sessions"][-1]["state"] != "ended":
                await asyncio.sleep(0.05)
    assert not problems
