"""People on a real photograph, found by the detector that ships, by way of a server in a process of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from tests.server.stream.client import PROTOCOL, Stream
from tests.serving import RunningServer, ServerFactory
from tests.waiting import until

pytestmark = pytest.mark.timeout(240)  # an export takes 5 s alone and a minute on a busy machine

PEOPLE = ((224, 407, 341, 855), (51, 400, 240, 905), (670, 378, 807, 881))
"""The three who are whole in ultralytics' bus.jpg, in pixels of it, as YOLOv8n sees them."""


def photograph() -> bytes:
    """As the file that it is: 810x1080, a JPEG that no code of this project has written."""
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "assets" / "bus.jpg").read_bytes()


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float((each[2] - each[0]) * (each[3] - each[1])) for each in (one, other))
    return shared / (areas - shared)


@pytest.fixture
async def server(tmp_path: Path, exports: Path) -> AsyncIterator[RunningServer]:
    factory = ServerFactory(tmp_path, exports)
    yield await factory()
    await factory.close()


async def test_people_are_where_they_are_on_the_photograph(server: RunningServer) -> None:
    """Sent over `/ws/stream`, and to `/analyze/frame`, which finds the same."""
    async with (
        aiohttp.ClientSession(server.url) as http,
        http.ws_connect("/ws/stream", protocols=(PROTOCOL,)) as socket,
    ):
        it = Stream(socket)
        await it.start()
        for ts in (1.0, 2.0):
            await it.image(ts, photograph())
        await until(lambda: len(it.outcomes()) == 2, 30)
        assert it.outcomes() == {1.0: ["detection"], 2.0: ["detection"]}
        first = next(each["data"] for each in it.kinds("detection") if each["data"]["frameTs"] == 1.0)
        async with http.post("/analyze/frame", params={"confidence": "0.25"}, data=photograph()) as response:
            single = await response.json()
        await it.close()
    assert first["frame"] == single["frame"] == {"width": 810, "height": 1080}
    for person in PEOPLE:
        (seen,) = (each for each in first["objects"] if overlap(each["box"], person) > 0.7)
        (alone,) = (each for each in single["objects"] if overlap(each["box"], person) > 0.7)
        assert seen["label"] == alone["label"] == "person"
        assert overlap(seen["box"], alone["box"]) > 0.97  # a JPEG's range is converted before the one, after the other
    sure = [each for each in first["objects"] if each["confidence"] > 0.3]
    assert len(sure) == len(PEOPLE)
