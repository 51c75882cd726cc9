"""schemathesis over the document: whatever is sent, nothing breaks, and every error is in the envelope."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.app import serve
from server.front import Runner
from server.middleware import MAX_URL_BYTES, runner_options
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
OVERLOADED = frozenset({"overloaded", "model_unavailable"})
"""Codes of 5xx that say that the server holds its bounds: no faults."""


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(_context: Any, value: Any) -> bytes:
    """Whatever comes to its mind, as the text of an offer or a fragment."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


class Running:
    """A server in a thread with a loop of its own, as schemathesis blocks."""

    def __init__(self, data_dir: Path) -> None:
        self.url = ""
        self._data_dir = data_dir
        self._listens = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fuzzed-server")
        self._thread.start()
        assert self._listens.wait(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    def make(self) -> dict[str, str]:
        """Ids of a source, a session that waits for its camera, its first event, and a peer that asks for events."""
        source = requests.post(f"{self.url}/sources", json={"kind": "webcam"}, timeout=10).json()
        made = requests.post(f"{self.url}/sessions", json={"sourceId": source["sourceId"]}, timeout=10).json()
        found = {"sourceId": source["sourceId"], "sessionId": made["sessionId"]}
        while not (events := self._get(f"/sessions/{made['sessionId']}/events")["events"]):
            pass
        offer = self._get("/openapi.json")["components"]["schemas"]["Offer"]["examples"][0]
        peer = requests.post(f"{self.url}/sessions/{made['sessionId']}/offer", json=offer, timeout=10).json()
        return {**found, "eventId": events[0]["id"], "peerId": peer["peerId"]}

    def remove(self, ids: dict[str, str]) -> None:
        """End what `make` made: there is room for few sessions."""
        requests.delete(f"{self.url}/sources/{ids['sourceId']}", timeout=10)
        requests.delete(f"{self.url}/sessions/{ids['sessionId']}", timeout=10)

    def _get(self, path: str) -> Any:
        return requests.get(f"{self.url}{path}", timeout=10).json()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        serving = serve(
            Settings(data_dir=self._data_dir),
            load=lambda choice, **options: BrightDetector(),
            load_asr=lambda choice, **options: BeepAsr(),
            vad=LoudVad(),
        )
        async with serving as server:
            await server.ready
            runner = Runner(server.app, **runner_options())
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._listens.set()
            await self._over.wait()
            await runner.cleanup()


@pytest.fixture
def running(tmp_path: Path, _imported: None) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.close()


def in_envelope(response: Any) -> None:
    """Every error says what it is, in the one shape."""
    error = response.json()["error"]
    assert isinstance(error["code"], str)
    assert isinstance(error["message"], str)
    assert response.status_code < 500 or error["code"] in OVERLOADED


def fuzz(running: Running, examples: int) -> None:
    """Send so many requests of every operation, half of them such as it should refuse."""
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    for found in schema.get_all_operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            ids = running.make()
            fuzz_one(found.ok(), mode, ids, max(1, examples // 2))
            running.remove(ids)


def fuzz_one(operation: Any, mode: GenerationMode, ids: dict[str, str], examples: int) -> None:
    """Send requests of one operation, about half of them to what is there."""

    @seed(0)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def send(case: Any, real: bool) -> None:
        checks = CHECKS
        for part in (case.path_parameters, case.body):
            if real and isinstance(part, dict) and (there := ids.keys() & part.keys()):
                part.update({name: ids[name] for name in there})
                checks = [check for check in CHECKS if check is not negative_data_rejection]  # it may be right now
        response = case.call()
        if "x-request-id" not in response.headers:  # it was not for the application: aiohttp reads no further
            assert response.status_code == 400
            assert len(response.request.path_url) > 8 * MAX_URL_BYTES
            return
        if response.status_code >= 400 and not case.operation.path.startswith("/health"):
            in_envelope(response)
        case.validate_response(response, checks=checks)

    try:
        send()
    except Unsatisfiable:  # there is nothing about it that could be wrong
        assert mode is GenerationMode.NEGATIVE


def test_a_few_requests_of_every_kind(running: Running) -> None:
    """The reduced run."""
    fuzz(running, 8)


@pytest.mark.endure
def test_many_requests_of_every_kind(running: Running) -> None:
    """200 of every operation."""
    fuzz(running, 200)
