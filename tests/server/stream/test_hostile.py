"""A client that does anything at all, in any order: it gets the right close code, and the server lives on."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.server.stream.client import JPEG, connect
from tests.server.stream.conftest import Place, serving

T = TypeVar("T")

FORGIVEN = {None, 4400, 4429, 4409}
"""What may come of messages that are each no more than wrong: nothing, or the end of patience."""
HUGE = JPEG.replace(struct.pack(">HH", 360, 640), struct.pack(">HH", 60_000, 60_000))
BOMB = b'{"type":"ping","id":"' + b" " * (8 << 20) + b'"}'
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner))
TYPES = st.sampled_from(["start", "attach", "frame", "audio", "command", "end", "ping"])
FIELDS = st.sampled_from(
    ["id", "sessionId", "sourceId", "ts", "data", "rate", "name", "args", "after", "kinds", "annotated", "publish"]
)
PICTURES = st.sampled_from([JPEG, JPEG[:50], JPEG[: len(JPEG) // 2], HUGE, b"", b"RIFF\xff\xff\xff\xffWEBPVP8 "])

UNFORGIVABLE: dict[str, tuple[str | bytes, int]] = {
    "5 MiB of text": ("x" * (5 << 20), 1009),
    "5 MiB of data": (b"\x01" + bytes(5 << 20), 1009),
    "a deflate bomb": (BOMB.decode(), 1009),
    "not JSON": ("{", 4400),
    "deep JSON": ("[" * 5000, 4400),
    "an unknown type": ('{"type":"dance"}', 4400),
    "an unknown tag": (b"\x07" + bytes(8), 1003),
}


class Fuzz(RuleBasedStateMachine):
    """One connection after the other against one server; another client watches that it is alive."""

    place: Place
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.ts = 0.0
        self.it = self.do(connect(self.place.http, compress=15))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def send(self, text: str) -> None:
        self.do(self._send(text))

    async def _send(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                await self.it.socket.send_str(message)
            else:
                await self.it.socket.send_bytes(message)
        except ConnectionError:
            pass  # it has been closed
        await asyncio.sleep(0)

    @rule(type=TYPES, fields=st.dictionaries(FIELDS, VALUES, max_size=5))
    def say_anything(self, type: str, fields: dict[str, Any]) -> None:
        try:
            self.send(json.dumps({**fields, "type": type}))
        except UnicodeEncodeError:  # half of a surrogate pair is no text
            return

    @rule()
    def start(self) -> None:
        self.send('{"type":"start","id":"s","profile":"accurate"}')

    @rule(data=PICTURES, step=st.sampled_from([0.1, 0.0, -1.0]), binary=st.booleans())
    def picture(self, data: bytes, step: float, binary: bool) -> None:
        self.ts += step
        if binary:
            self.do(self._send(struct.pack("<Bd", 1, self.ts) + data))
        else:
            text = base64.b64encode(data).decode()
            self.send(json.dumps({"type": "frame", "ts": self.ts, "data": text}))

    @rule(data=st.binary(max_size=64), tag=st.sampled_from([1, 2]))
    def bytes_of_a_known_tag(self, data: bytes, tag: int) -> None:
        self.do(self._send(bytes([tag]) + data))

    @precondition(lambda self: self.it.close_code is None)
    @rule(name=st.sampled_from(sorted(UNFORGIVABLE)))
    def unforgivable(self, name: str) -> None:
        message, code = UNFORGIVABLE[name]
        self.do(self._send(message))
        # Whatever it had done before may have been told first.
        assert self.do(self.it.closed()) in {code, 1000, *FORGIVEN} - {None}

    def teardown(self) -> None:
        self.do(self.it.close())
        assert self.it.close_code in FORGIVEN | {1000, 1003, 1009, 4404, 1006}
        assert not [each for each in self.it.types("error") if each["error"]["code"] == "internal"]
        alive = self.do(connect(self.place.http))
        assert self.do(alive.ask(type="ping", id="p"))["type"] == "pong"
        self.do(alive.close())
        self.do(_end_all(self.place))


async def _end_all(place: Place) -> None:
    for session in place.server.live:
        await session.end("over")


@pytest.mark.usefixtures("_imported")
def test_whatever_a_client_does_the_server_lives_on() -> None:
    """Wrong order, wrong types, 5 MiB, bombs, cut and lying pictures: no `internal`, right codes, memory flat."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    with tempfile.TemporaryDirectory() as folder:
        Fuzz.loop = loop
        Fuzz.place = loop.run_until_complete(stack.enter_async_context(serving(Path(folder))))
        try:
            _run(2)  # what is made once
            before = psutil.Process(os.getpid()).memory_info().rss
            _run(12)
            grown = psutil.Process(os.getpid()).memory_info().rss - before
        finally:
            loop.run_until_complete(stack.aclose())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
    assert grown < 64 << 20


def _run(examples: int) -> None:
    run_state_machine_as_test(
        Fuzz,
        settings=settings(
            max_examples=examples,
            stateful_step_count=10,
            phases=(Phase.generate,),
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
