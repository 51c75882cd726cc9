"""A real Chromium in front of the built console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, async_playwright

CONSOLE = Path(__file__).resolve().parents[2] / "web/out/index.html"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def browsing(chromium: str, *flags: str, **options: Any) -> AsyncIterator[BrowserContext]:
    """A context of a headless Chromium with these flags and options, 1280x800; skips where the console is not built."""
    if not CONSOLE.is_file():
        pytest.skip("the console is not built (`make test` builds it where Node 20 is)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *flags])
        yield await browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        await browser.close()


def filming(path: Path) -> tuple[str, ...]:
    """Flags for a camera that shows this file, and that a page may use without asking."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )
