"""A file from this computer: opened in a browser, worked through or played, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from tests.e2e.axe import findings
from tests.e2e.browsing import browsing
from tests.tracks.media.clips import movie

PATIENCE_MS = 60_000
PLAYED = """
async () => {
  const film = document.querySelector('video[aria-label="Annotated film"]');
  film.muted = true;
  await film.play();
  await new Promise((resolve) => { film.ontimeupdate = () => film.currentTime > 0.5 && resolve(); });
  film.pause();
  return {seconds: film.duration, width: film.videoWidth};
}
"""
WIDTH = "() => document.documentElement.scrollWidth"
DROP = """
async ([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector('[aria-label="Choose a file"]').dispatchEvent(
    new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data}));
}
"""


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    async with browsing(chromium, reduced_motion="reduce") as context:
        yield await context.new_page()


async def test_a_film_is_opened_and_comes_back_with_boxes(start_server: Any, page: Page, tmp_path: Path) -> None:
    """It is sent, worked through, and its film played; then the file is gone from the server, its events are not."""
    server = await start_server()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    path = movie(tmp_path / "door.mp4", seconds=4.0)
    await page.goto(server.url)
    await page.get_by_role("button", name="Open a file").click()
    await page.screenshot(path=tmp_path / "pick.png")
    assert await findings(page) == []
    await page.get_by_label("File", exact=True).set_input_files(path)
    result = page.get_by_role("region", name="Result")
    await expect(result).to_be_visible(timeout=PATIENCE_MS)
    await expect(result.get_by_role("status")).to_contain_text("It is done.")
    played = await page.evaluate(PLAYED)
    assert played == {"seconds": pytest.approx(4.0, abs=0.1), "width": 320}
    await page.screenshot(path=tmp_path / "result.png")
    assert await findings(page) == []
    for theme, width in (("dark", 360), ("light", 360), ("dark", 1280)):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 800})
        await page.screenshot(path=tmp_path / f"result-{theme}-{width}.png")
        assert await findings(page) == []
        assert await page.evaluate(WIDTH) <= width
    async with ClientSession() as http:
        link = await result.get_by_role("link", name="Download the film").get_attribute("href")
        film = await http.get(f"{server.url}{link}")
        assert (film.status, film.content_type) == (200, "video/mp4")
        assert (await (await http.get(f"{server.url}/sources")).json())["sources"] == []
    await result.get_by_role("button", name="Read its events").click()
    await expect(page.get_by_role("region", name="Stored events").get_by_text("Session ended")).to_be_visible()
    await expect(page.get_by_label("Annotated film")).to_be_visible()
    await page.get_by_role("link", name="File").click()
    await result.get_by_role("button", name="Another file").click()
    await expect(page.get_by_role("heading", name="Look at a recording")).to_be_visible()
    assert not problems


async def test_what_cannot_be_read_is_told_with_what_can(start_server: Any, page: Page, tmp_path: Path) -> None:
    """Also where it is dropped. The next file is played in real time, in the live view."""
    server = await start_server()
    await page.goto(f"{server.url}/?view=file")
    await expect(page.get_by_role("heading", name="Look at a recording")).to_be_visible()
    await page.evaluate(DROP, ["letter.mp4", "hello " * 1000])
    alert = page.get_by_role("main").get_by_role("alert")
    await expect(alert.get_by_role("heading")).to_have_text("This file cannot be read", timeout=PATIENCE_MS)
    await expect(alert).to_contain_text("h264")
    assert await findings(page) == []
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.screenshot(path=tmp_path / "refused.png")
    assert await page.evaluate(WIDTH) <= 360
    await page.set_viewport_size({"width": 1280, "height": 800})
    await alert.get_by_role("button", name="Choose another file").click()
    await page.get_by_role("radio", name="In real time").check()
    await page.get_by_label("File", exact=True).set_input_files(movie(tmp_path / "door.mp4", seconds=30.0))
    await expect(page.locator("[data-phase=live]")).to_be_visible(timeout=PATIENCE_MS)
    await page.get_by_role("link", name="File").click()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.get_by_role("region", name="Result")).to_contain_text("stopped by a client", timeout=PATIENCE_MS)
    async with ClientSession() as http:
        assert (await (await http.get(f"{server.url}/sources")).json())["sources"] == []
