"""Signing in: the console in a real Chromium, and a server that speaks https beyond this machine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from playwright.async_api import BrowserContext, Page, expect

from server.roles import Role
from server.tokens import Tokens
from tests.e2e.axe import findings
from tests.e2e.browsing import browsing
from tests.e2e.test_console import PICTURE_MS, SIZES, THEMES, THUMBNAILS, open_console, start_demo
from tests.server.certificates import make_certificate
from tests.serving import REPOSITORY, RunningServer

TOKEN = re.compile(r"^  token       (vdt_[\w-]{43})$", re.MULTILINE)


@pytest.fixture
async def context(chromium: str) -> AsyncIterator[BrowserContext]:
    """A headless Chromium without a camera and without any permission."""
    async with browsing(chromium, reduced_motion="reduce") as context:
        yield context


def first_token(server: RunningServer) -> str:
    """The token that the first start shows."""
    (token,) = TOKEN.findall("".join(server.output))
    return str(token)


async def vedette(*arguments: str, data_dir: Path) -> str:
    """What `vedette …` says, beside a server that runs on the same data."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VEDETTE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", *arguments, "--data-dir", str(data_dir)),
        cwd=REPOSITORY,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().strip()


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in").click()


async def test_the_console_asks_for_a_token_and_goes_on(
    start_server: Any, context: BrowserContext, tmp_path: Path
) -> None:
    """A form in the way of everything, usable by everybody; a wrong token is told; then all works, until it is over."""
    server = await start_server(VEDETTE_AUTH="always")
    page, problems = await open_console(context, server.url)
    form = page.get_by_role("dialog", name="Sign in")
    await expect(page.get_by_label("Token")).to_be_focused()
    grave = []
    for width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            grave += [f"{width} px, {theme}: {finding}" for finding in await findings(page)]
            await page.screenshot(path=tmp_path / f"sign-in-{width}-{theme}.png")
    assert not grave, "\n".join(grave)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    behind = "() => document.activeElement.closest('[inert]') === null"
    assert await page.evaluate(behind), "what is behind the form can be reached by keyboard"

    await sign_in(page, "vdt_" + "x" * 43)
    await expect(form.get_by_role("alert")).to_contain_text("does not know this token")
    token = first_token(server)
    await sign_in(page, token)
    await expect(form).to_be_hidden()
    assert await page.evaluate("() => document.cookie") == ""
    (cookie,) = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert token not in json.dumps(await context.storage_state())

    await page.set_viewport_size({"width": 1280, "height": 800})
    await start_demo(page)
    await page.wait_for_function(f"() => ({THUMBNAILS})() > 0", timeout=PICTURE_MS)
    await page.get_by_role("button", name="Stop", exact=True).click()

    # A viewer is told what it may not; the token is taken back while the page is open.
    viewer = await vedette("token", "create", "--name", "tv", data_dir=tmp_path / "data")
    await page.get_by_role("button", name="Sign out").click()
    await expect(form).to_be_visible()
    await sign_in(page, viewer)
    await expect(form).to_be_hidden()
    await page.get_by_role("button", name="Start demo").click()
    await expect(page.get_by_role("alert").filter(has_text="This is not allowed")).to_contain_text("role operator")
    await vedette("token", "revoke", "tv", data_dir=tmp_path / "data")
    await page.get_by_role("link", name="Sessions").click()
    await expect(form).to_be_visible()
    await sign_in(page, token)
    await expect(page.get_by_role("listitem").filter(has_text="Demo")).to_be_visible()
    assert not problems
    assert token not in "".join(server.output).replace(token, "", 1)
    assert viewer not in "".join(server.output)


async def test_a_server_beyond_this_machine_speaks_https_and_shows_its_first_token(
    start_server: Any, tmp_path: Path
) -> None:
    """Nothing works without the token, and everything with it."""
    certificate, key = make_certificate(tmp_path)
    settings = {"VEDETTE_HOST": "0.0.0.0", "VEDETTE_TLS_CERT": str(certificate), "VEDETTE_TLS_KEY": str(key)}
    server = await start_server(**settings)
    assert server.url.startswith("https://0.0.0.0:")
    url = server.url.replace("0.0.0.0", "127.0.0.1")
    token = first_token(server)
    assert [each.role for each in Tokens(tmp_path / "data").read().tokens] == [Role.ADMIN]
    connector = TCPConnector(ssl=ssl.create_default_context(cafile=str(certificate)))
    async with ClientSession(connector=connector) as http:
        assert (await http.get(f"{url}/sources")).status == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert (await http.post(f"{url}/sources", json={"kind": "demo"}, headers=headers)).status == 201
        response = await http.post(f"{url}/login", json={"token": token}, headers={"Origin": url})
        (cookie,) = response.cookies.values()
        assert cookie["secure"] is True
