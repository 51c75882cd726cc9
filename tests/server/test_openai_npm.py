"""`/v1/audio/transcriptions` and `/v1/models` with OpenAI's package of npm, in a real Node.js."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.openai_audio import ALIASES
from tests.server.earshot import CLIP, TEXT, Earshot, earshot
from tests.waiting import until
from tracks.errors import ModelUnavailable
from tracks.media.limits import Limits

PROGRAM = Path(__file__).with_name("openai_client.cjs")
PACKAGE = Path(__file__).resolve().parents[2] / "web/node_modules/openai/package.json"
PATIENCE_S = 60


class Node:
    """Runs the package's client against a server."""

    def __init__(self, program: str, here: Earshot, clip: Path) -> None:
        self.here = here
        self._command = (program, str(PROGRAM), f"{here.url}/v1", str(clip))

    async def __call__(self, scenario: str) -> Any:
        """What it gave."""
        async with self.running(scenario) as process:
            out, _ = await process.communicate()
        return json.loads(out)

    @asynccontextmanager
    async def running(self, scenario: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """It, while it runs."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command, scenario, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    program = shutil.which("node")
    if program is None:
        pytest.skip("no Node.js on this machine: OpenAI's npm package is not tried")
    if not PACKAGE.is_file():
        pytest.skip("OpenAI's npm package is not installed (`make test` installs it where Node 20 is)")
    clip = tmp_path / "clip.wav"
    clip.write_bytes(CLIP)
    async with earshot(tmp_path, Limits(max_bytes=1_000_000, max_duration_s=20.0)) as here:
        yield Node(program, here, clip)


async def test_every_format_is_understood(node: Node) -> None:
    """A file from the disk or from memory; text and subtitles come as they are."""
    heard = await node("formats")
    used = {"type": "duration", "seconds": 7}
    assert heard["json"] == {"text": TEXT, "usage": used}
    assert heard["bytes"] == {"text": TEXT, "usage": used}
    assert heard["text"] == TEXT + "\n"
    assert heard["vtt"].startswith("WEBVTT\n\n00:00:00.500")
    assert node.here.left() == []


async def test_words_and_segments_come_with_their_times(node: Node) -> None:
    """As numbers, the language as a name; what was said of the recording reaches the engine."""
    heard = await node("verbose")
    assert (heard["language"], heard["duration"], heard["text"]) == ("english", 6.5, TEXT)
    assert [(word["word"], round(word["start"], 1)) for word in heard["words"]] == [
        ("b3", 0.5),
        ("b4", 1.3),
        ("b6", 5.2),
    ]
    assert [len(segment) for segment in heard["segments"]] == [10, 10]
    hints = node.here.asr.hints[0]
    assert (hints.language, hints.temperature) == ("de", 0.4)


async def test_it_is_streamed(node: Node) -> None:
    """Deltas one by one, and at the end the whole."""
    events = await node("stream")
    assert [event["type"] for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"] == TEXT


async def test_models_are_listed_and_found(node: Node) -> None:
    """Those of the registry, and OpenAI's own names."""
    models = await node("models")
    assert models["ids"] == ["beeps", "org/other", *ALIASES]
    assert models["found"]["owned_by"] == "vedette"


async def test_errors_are_those_that_it_knows(node: Node) -> None:
    """By class, status, code, parameter and type, with the request's id; an error in a stream is raised, too."""
    unknown = await node("unknown")
    assert unknown.pop("requestID")
    assert unknown.pop("message").startswith("404 unknown")
    assert unknown == {
        **{"raised": "NotFoundError", "status": 404},
        **{"code": "model_not_found", "param": "model", "type": "invalid_request_error"},
    }
    unheard = await node("unheard")
    assert (unheard["raised"], unheard["status"], unheard["code"]) == ("APIError", 415, "unsupported_media")


async def test_a_failure_is_not_tried_again_where_that_is_of_no_use(node: Node) -> None:
    """An engine that is out of order is asked once, though the client would try thrice; a stream says why it broke."""
    node.here.asr.failure = ModelUnavailable("out of order")
    once = await node("once")
    assert (once["status"], once["code"]) == (503, "model_unavailable")
    assert node.here.asr.calls == ["transcribe"]
    assert "out of order" in (await node("broken"))["message"]


async def test_a_client_that_leaves_is_not_worked_for(node: Node) -> None:
    """Its request is aborted, and decoding ends."""
    node.here.asr.endless = True
    async with node.running("leave") as process:
        await until(node.here.asr.entered.is_set)
        out, _ = await process.communicate(b"leave\n")
    assert json.loads(out)["raised"] == "APIUserAbortError"
    await until(lambda: node.here.asr.cancelled)
    await until(lambda: not node.here.left())
