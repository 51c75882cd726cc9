"""Annotated pictures out."""

from __future__ import annotations

import base64
import struct

import cv2
import numpy as np

from tests.server.stream.client import SIZE
from tests.server.stream.conftest import Connect
from tests.waiting import until


async def test_pictures_come_as_bytes_with_the_ts_of_their_frame(client: Connect) -> None:
    """Tag 129, the ts bit for bit, a JPEG of the frame's size."""
    it = await client()
    await it.start(annotated="binary")
    ts = 0.1 + 0.2
    await it.image(ts)
    await until(lambda: it.binary)
    assert struct.unpack_from("<Bd", it.binary[0]) == (129, ts)
    picture = cv2.imdecode(np.frombuffer(it.binary[0][9:], np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1::-1] == SIZE


async def test_pictures_come_as_text(client: Connect) -> None:
    """With their size; whoever did not ask for them gets none."""
    it, other = await client(), await client()
    session_id = (await it.start(annotated="none"))["sessionId"]
    await other.ask(type="attach", id="a", sessionId=session_id, annotated="json")
    await it.image(5.5)
    await until(lambda: other.types("frame"))
    (frame,) = other.types("frame")
    assert (frame["ts"], frame["width"], frame["height"]) == (5.5, *SIZE)
    assert base64.b64decode(frame["data"]).startswith(b"\xff\xd8")
    assert not it.types("frame")
    assert not it.binary
