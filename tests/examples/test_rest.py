"""`examples/rest.sh` against a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.serving import REPOSITORY


async def test_the_script_shows_what_it_says(start_server: Any) -> None:
    """It runs to its end, every step of it shows something, and nothing is left on the server."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    server = await start_server()
    script = await asyncio.create_subprocess_exec(
        "sh",
        str(REPOSITORY / "examples/rest.sh"),
        server.url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(90):
        told = (await script.communicate())[0].decode()
    assert script.returncode == 0, told
    steps = {title: text for title, _, text in (part.partition("\n") for part in told.split("\n== ")[1:])}
    assert len(steps) == 8 + (shutil.which("websocat") is not None)
    assert '"label": "person"' in steps["the first objects that it has seen"]
    assert '"phase": "entered"' in steps["the first objects that it has seen"]
    assert '"events": [' in steps["what comes after them: pages by cursor"]
    if stream := steps.get("the same over a WebSocket: what was, then what comes"):
        first, *events = (json.loads(line) for line in stream.splitlines() if line)
        assert first["type"] == "attached"
        assert [(each["kind"], each["data"]["label"]) for each in events] == [("object", "person")] * 2
    assert "snapshot.jpg" in steps["a snapshot"]
    assert '"inferenceMs"' in steps["the same picture, looked at by itself"]
    assert "drawn.jpg" in steps["as a form, with the boxes drawn on the answer"]
    assert '"code": "unsupported_media"' in steps["an error says what is wrong"]
    async with ClientSession(server.url) as http:
        assert (await (await http.get("/sources")).json())["sources"] == []
        (session,) = (await (await http.get("/sessions")).json())["sessions"]
        assert session["state"] == "ended"
        artifacts = await (await http.get(f"/sessions/{session['sessionId']}/artifacts")).json()
        assert artifacts["artifacts"] == []
