from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.axe import findings
from tests.e2e.browsing import browsing
from tests.e2e.test_browser import GREEN_OF_PEOPLE

SIZES = ((360, 780), (1280, 800), (1920, 1080))
THEMES = ("dark", "light")
PICTURE_MS = 30_000

THUMBNAILS = """
() => [...document.querySelectorAll('ol img')]
  .filter((image) => image.src.includes('/artifacts/') && image.complete && image.naturalWidth > 0).length
"""
"""How many pictures of objects the list of events shows."""

REJECT = "MediaDevices.prototype.%s = () => Promise.reject(new DOMException('', '%s'))"


@pytest.fixture
async def context(chromium: str) -> AsyncIterator[BrowserContext]:
    """A headless Chromium without a camera and without any permission."""
    async with browsing(chromium, reduced_motion="reduce") as context:
        yield context


async def open_console(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """The page at the address, and what goes wrong in it."""
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    await page.goto(url)
    return page, problems


async def start_demo(page: Page) -> None:
    """Press the button and wait for the first picture."""
    await page.get_by_role("button", name="Start demo").click()
    await expect(page.locator("[data-phase=live]")).to_be_visible(timeout=PICTURE_MS)


async def test_the_demo_from_start_to_stop(start_server: Any, context: BrowserContext) -> None:
    """One click without any permission: people with boxes, events with pictures, a snapshot, viewers, and stop."""
    server = await start_server()
    page, problems = await open_console(context, server.url)
    await start_demo(page)
    await page.wait_for_function(f"() => ({GREEN_OF_PEOPLE})() > 500", timeout=PICTURE_MS)
    await page.wait_for_function(f"() => ({THUMBNAILS})() > 0", timeout=PICTURE_MS)
    await expect(page.get_by_label("Event list").get_by_text("entered").first).to_be_visible()
    await expect(page.get_by_text(re.compile("estimated ±"))).to_be_visible(timeout=PICTURE_MS)

    sounds = "() => document.querySelector('video[data-shown]').srcObject.getAudioTracks().length"
    assert await page.evaluate("() => document.querySelector('video[data-shown]').muted")
    assert await page.evaluate(sounds) == 1
    await page.get_by_role("button", name="Unmute").click()
    assert not await page.evaluate("() => document.querySelector('video[data-shown]').muted")

    await page.locator("body").press("s")
    download = page.get_by_role("link", name="Download")
    await expect(download).to_be_visible()
    async with ClientSession() as http:
        picture = await http.get(f"{server.url}{await download.get_attribute('href')}")
        assert (picture.status, picture.content_type) == (200, "image/jpeg")

        session_id = (await (await http.get(f"{server.url}/sessions")).json())["sessions"][-1]["sessionId"]
        viewer, viewer_problems = await open_console(context, f"{server.url}/?watch={session_id}")
        await expect(viewer.locator("[data-phase=live]")).to_be_visible(timeout=PICTURE_MS)

        await page.get_by_role("link", name="Sessions").click()
        row = page.get_by_role("listitem").filter(has_text="this page")
        await expect(row).to_contain_text("Live")
        await expect(row.get_by_title("Connections to it now")).to_contain_text("2", timeout=PICTURE_MS)
        await row.get_by_role("button", name="Stop Demo").click()
        await row.get_by_role("button", name="Undo stop").click()

        await page.get_by_role("link", name="Live").click()
        await page.get_by_role("button", name="Stop", exact=True).click()
        await expect(viewer.get_by_role("heading", name="Somebody stopped this session")).to_be_visible()
        assert (await (await http.get(f"{server.url}/sessions/{session_id}")).json())["state"] == "ended"

    await viewer.get_by_role("button", name="Read its events").click()
    assert f"session={session_id}" in viewer.url
    stored = viewer.get_by_role("region", name="Stored events")
    await expect(stored.get_by_text("Session ended")).to_be_visible()
    await expect(stored.get_by_alt_text("Snapshot 1")).to_be_visible()
    await viewer.wait_for_function(f"() => ({THUMBNAILS})() > 0")
    assert not problems + viewer_problems


async def test_every_failure_has_its_word(start_server: Any, context: BrowserContext) -> None:
    """No camera, refused camera, no screen, a full server and a server that is gone are told apart, with what to do."""
    server = await start_server()
    page, problems = await open_console(context, server.url)

    async def after(button: str, title: str) -> None:
        await page.reload()
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(page.get_by_role("alert").get_by_role("heading")).to_have_text(title)

    await after("Camera", "No camera found")
    await expect(page.get_by_role("button", name="Start demo instead")).to_be_visible()
    for name, button, call, title in (
        ("NotAllowedError", "Camera", "getUserMedia", "The camera is blocked"),
        ("NotReadableError", "Camera", "getUserMedia", "The camera is busy"),
        ("NotAllowedError", "Screen", "getDisplayMedia", "No screen was chosen"),
    ):
        await page.add_init_script(REJECT % (call, name))
        await after(button, title)
    await page.add_init_script("delete MediaDevices.prototype.getDisplayMedia")
    await after("Screen", "This browser cannot share a screen")
    full = '{"error": {"code": "overloaded", "message": "64 sessions are running"}}'
    await page.route("**/sessions", lambda route: route.fulfill(status=503, body=full, headers={"Retry-After": "30"}))
    await after("Start demo", "The server is full")
    await expect(page.get_by_role("button", name=re.compile("by itself in"))).to_be_visible()
    await page.unroute("**/sessions")
    missing = '{"error": {"code": "source_unreachable", "message": "no photographs"}}'
    await page.route("**/sessions", lambda route: route.fulfill(status=502, body=missing))
    await after("Start demo", "The demo's photographs are missing")
    await page.unroute("**/sessions")
    await page.goto(f"{server.url}/?watch=nobody")
    await expect(page.get_by_role("heading", name="The session is over")).to_be_visible()
    await page.goto(server.url)
    await page.get_by_role("button", name="Start demo").wait_for()
    server.process.terminate()
    await server.process.wait()
    await page.get_by_role("button", name="Start demo").click()
    await expect(page.get_by_role("alert").get_by_role("heading")).to_have_text("The server does not answer")
    await page.get_by_role("link", name="Sessions").click()
    await expect(page.get_by_text("The server does not answer; this page keeps asking.")).to_be_visible()
    assert not problems


async def test_nothing_grave_stands_in_anybodys_way(start_server: Any, context: BrowserContext) -> None:
    """axe finds nothing serious or critical: idle, demo live and sessions, dark and light, phone to large screen."""
    server = await start_server()
    page, _ = await open_console(context, server.url)
    grave: list[str] = []

    async def look(state: str) -> None:
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)
                grave.extend(f"{state}, {width} px, {theme}: {finding}" for finding in await findings(page))

    await page.get_by_role("button", name="Start demo").wait_for()
    await look("idle")
    await start_demo(page)
    await expect(page.get_by_label("Event list").get_by_text("entered").first).to_be_attached(timeout=PICTURE_MS)
    await look("live")
    await page.locator("body").press("?")
    await page.get_by_role("dialog").wait_for()
    grave.extend(f"keys: {finding}" for finding in await findings(page))
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Sessions").click()
    await page.get_by_role("link", name="Demo").click()
    await expect(page.get_by_role("region", name="Stored events").get_by_role("listitem").first).to_be_visible()
    await look("sessions")
    assert not grave, "\n".join(grave)
