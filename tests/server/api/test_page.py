"""The readable contract, in a real Chromium that reaches nothing but the server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.e2e.axe import findings
from tests.server.clients import Api


@pytest.fixture
async def problems() -> list[str]:
    return []


@pytest.fixture
async def page(api: Api, chromium: str, problems: list[str]) -> AsyncIterator[Page]:
    """/docs, with whatever goes wrong in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        home = str(api.http.make_url("/"))
        page.on("request", lambda asked: None if asked.url.startswith((home, "data:")) else problems.append(asked.url))
        await page.goto(f"{home}docs")
        await expect(page.locator("article").first).to_be_visible()
        yield page
        await browser.close()


async def test_every_call_and_schema_can_be_read(api: Api, page: Page, problems: list[str]) -> None:
    """Under the page's own Content-Security-Policy, from this server alone, without a complaint."""
    contract = await (await api.http.get("/openapi.json")).json()
    calls = [each["operationId"] for path in contract["paths"].values() for each in path.values()]
    named = await page.locator("article").evaluate_all("all => all.map(each => each.id)")
    assert set(named) == {*calls, *(f"schema-{name}" for name in contract["components"]["schemas"])}
    links = await page.locator("a[href^='#']").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert [link for link in links if await page.locator(f"[id='{link[1:]}']").count() != 1] == []
    assert problems == []


async def test_calls_can_be_looked_for(page: Page) -> None:
    """The list shrinks to what has the word in its path or its summary."""
    await page.get_by_role("searchbox").fill("snapshot")
    await expect(page.locator("#index li:visible")).to_have_count(1)
    await page.get_by_role("searchbox").fill("")
    assert await page.locator("#index li:visible").count() > 10


@pytest.mark.parametrize(("theme", "width"), [("dark", 360), ("light", 1280)])
async def test_it_can_be_read_by_everybody(page: Page, theme: str, width: int) -> None:
    """In the dark and in the light, on a phone and on a desk, nothing serious stands in the way or sticks out."""
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 780})
    # What is folded up once is enough: axe looks at every element, and there are thousands.
    await page.evaluate("() => document.querySelectorAll('#postSessions details').forEach(each => each.open = true)")
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert await findings(page) == []
