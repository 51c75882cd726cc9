"""docs/api.md: what the code says, and lines for a shell that work as they are written."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from scripts.api_docs import PAGE
from server.api.markdown import page
from server.app import serve
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api

REPOSITORY = PAGE.parent.parent
SERVER = "http://127.0.0.1:8000"
LATE = ("artifacts", "peers", "whip", "whep", "sessions", "sources")
"""Kinds of things in the order in which they are removed."""


async def test_the_page_is_what_the_code_says(api: Api) -> None:
    """`python -m scripts.api_docs` writes it anew."""
    contract = await (await api.http.get("/openapi.json")).json()
    # The name of the cookie is each server's own; the page does not have it.
    assert PAGE.read_text("utf-8") == page(contract)


def people(choice: str, **options: Any) -> BrightDetector:
    """A detector that calls what is bright a person, as those do that ship."""
    detector = BrightDetector()
    detector.info = replace(detector.info, labels=("dark", "person"))
    return detector


@pytest.fixture
async def patient(tmp_path: Path, _imported: None) -> AsyncIterator[TestClient[Any, Any]]:
    """A server that gives peers the time that they have by default."""
    serving = serve(
        Settings(data_dir=tmp_path / "data"),
        load=people,
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        yield http


async def test_every_line_works_as_it_is_written(patient: TestClient[Any, Any], tmp_path: Path) -> None:
    """The lines that set the variables first, then all calls, those that remove something last."""
    setup, *calls = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    contract = await (await patient.get("/openapi.json")).json()
    assert len(calls) == sum(len(operations) for operations in contract["paths"].values())
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("docs", "tracks"):
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / ".venv").symlink_to(sys.prefix)
    lines = [
        "set -eu",
        # Errors of the server are errors of the line, and what is answered is not looked at.
        'curl() { command curl -sS --fail-with-body "$@"; }',
        setup.replace("curl -s ", "command curl -s "),
        *(
            f"{call.rstrip()} >answer || {why(call)} || {{ cat answer; exit 1; }}"
            for call in sorted(calls, key=removes)
        ),
    ]
    script = "\n".join(lines).replace(SERVER, str(patient.make_url("/")).rstrip("/"))
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        cwd=folder,
        env={**os.environ, "VEDETTE_DATA_DIR": str(tmp_path / "data")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert (folder / "artifact.jpg").read_bytes().startswith(b"\xff\xd8")


def why(call: str) -> str:
    """What may be said for a call that failed: a WebSocket was opened, and curl stopped as it was told to."""
    return '{ [ "$?" = 28 ] && grep -q "101 Switching" answer; }' if "Upgrade: websocket" in call else "false"


def removes(call: str) -> int:
    """0 for what removes nothing, then in the order in which things can be removed."""
    if "-X DELETE" not in call:
        return 0
    kinds = re.findall(r"/(\w+)/\$", call)
    return 1 + LATE.index(kinds[-1])


@pytest.mark.parametrize(("call", "place"), [("curl http://x", 0), ("curl -X DELETE http://x/sessions/$A/peers/$B", 2)])
def test_what_is_removed_is_removed_last(call: str, place: int) -> None:
    """A peer goes before its session does."""
    assert removes(call) == place
