"""Chromium publishes and plays with packages of Eyevinn, which nobody here wrote, from a page of another origin."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from server.app import serve
from server.roles import Role
from server.settings import Settings
from server.tokens import Tokens
from tests.e2e.test_foreign_pages import listening
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.waiting import until

WEB = Path(__file__).resolve().parents[2] / "web"
ENTRY = WEB / "tests/eyevinn/page.js"
BUNDLER = WEB / "node_modules/.bin/rolldown"
HTML = (
    "<!doctype html><title>Studio</title><body><video muted autoplay playsinline></video><script src=/page.js></script>"
)
PLAYS = "() => { const now = window.playing(); return now.at > 1 && now.width > 0 }"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page's script, with both packages in it."""
    if not (WEB / "node_modules/@eyevinn/webrtc-player").is_dir() or not BUNDLER.exists() or not shutil.which("node"):
        pytest.skip("Eyevinn's npm packages are not installed (`make test` installs them where Node 20 is)")
    out = tmp_path_factory.mktemp("page") / "page.js"
    command = (str(BUNDLER), str(ENTRY), "--file", str(out), "--format", "iife", "--platform", "browser")
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out.read_text()


@pytest.fixture
async def page(chromium: str, bundle: str) -> AsyncIterator[tuple[Page, int]]:
    """The page in a Chromium with a camera and a microphone, and where it comes from."""

    async def html(_: web.Request) -> web.Response:
        return web.Response(text=HTML, content_type="text/html")

    async def js(_: web.Request) -> web.Response:
        return web.Response(text=bundle, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", html)
    app.router.add_get("/page.js", js)
    flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    fakes = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    async with listening(app) as port, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*flags, *fakes])
        opened = await browser.new_page(viewport={"width": 800, "height": 500})
        await opened.goto(f"http://localhost:{port}/")
        yield opened, port
        await browser.close()


async def test_a_browser_publishes_and_plays_with_packages_of_others(page: tuple[Page, int], tmp_path: Path) -> None:
    """Over origins, with tokens, candidates trickled; picture and sound are played, then both ends are closed."""
    browser, port = page
    serving = serve(
        Settings(data_dir=tmp_path, auth="always", allowed_origins=(f"http://localhost:{port}",)),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    answers: list[tuple[str, str, int]] = []

    async def note(request: web.Request, response: web.StreamResponse) -> None:
        answers.append(
            (request.method, request.path.split("/")[-1 if request.path.endswith("p") else 1], response.status)
        )

    async with serving as server:
        server.app.on_response_prepare.append(note)
        tokens = Tokens(tmp_path)
        operator, viewer = (tokens.create(role.word, role)[1] for role in (Role.OPERATOR, Role.VIEWER))
        async with listening(server.app) as serving_port:
            url = f"http://127.0.0.1:{serving_port}"
            resource = await browser.evaluate("given => window.publish(...given)", [f"{url}/whip", operator])
            assert resource.startswith(f"{url}/whip/")
            (session,) = server.live
            await until(lambda: session.state == "live")
            await browser.evaluate("given => window.play(...given)", [f"{url}/sessions/{session.row.id}/whep", viewer])
            await browser.wait_for_function(PLAYS, timeout=20_000)
            played: dict[str, Any] = await browser.evaluate("window.playing()")
            assert played["tracks"] == ["audio", "video"]
            assert (played["width"], played["height"]) == (640, 360)
            await browser.screenshot(path=tmp_path / "playing.png")
            await browser.evaluate("window.stopPlaying()")
            await browser.evaluate("window.unpublish()")
            await until(lambda: not len(session.clients))
    assert ("OPTIONS", "whip", 200) in answers
    assert ("POST", "whip", 201) in answers
    assert ("POST", "whep", 201) in answers
    trickled = {status for method, _, status in answers if method == "PATCH"}
    assert trickled == {204}
    assert [each for each in answers if each[0] == "DELETE"] == [("DELETE", "whep", 200), ("DELETE", "whip", 200)]
    assert all(status < 400 for _, _, status in answers)
