"""What many connections are sent is made once."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from av import VideoFrame

from server.stream.prints import QUALITY, Prints
from tests.fakes import picture
from tests.waiting import until
from tracks.vision import Shown


class Press:
    """Makes JPEGs that are none, slowly, and counts them."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = threading.Event()

    def __call__(self, frame: VideoFrame, quality: int) -> bytes:
        self.asked.append(quality)
        self.gate.wait(10)
        return b"picture %d" % len(self.asked)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


async def test_a_picture_is_encoded_once_for_all_who_are_sent_it(threads: ThreadPoolExecutor) -> None:
    """As bytes and as text alike, also when one of them leaves meanwhile; and the next picture anew."""
    press = Press()
    prints = Prints(threads, press)
    shown, other = Shown(picture(None), 1.0, 7.5), Shown(picture(None), 1.0, 7.5)
    first = asyncio.ensure_future(prints.binary(shown))
    rest = asyncio.gather(prints.binary(shown), prints.binary(shown), prints.text(shown), prints.text(shown))
    await until(lambda: press.asked)
    first.cancel()
    press.gate.set()
    one, two, text, same = await rest
    assert one is two
    assert one == struct.pack("<Bd", 129, 7.5) + b"picture 1"
    assert text is same
    message = json.loads(text)
    assert base64.b64decode(message["data"]) == b"picture 1"
    assert (message["type"], message["ts"], message["width"]) == ("frame", 7.5, shown.frame.width)
    assert press.asked == [QUALITY]
    assert (await prints.binary(other)).endswith(b"picture 2")


async def test_nothing_is_kept_of_a_picture_that_nobody_holds(threads: ThreadPoolExecutor) -> None:
    """What was made goes with it."""
    press = Press()
    press.gate.set()
    prints = Prints(threads, press)
    shown = Shown(picture(None), 1.0, 7.5)
    await prints.text(shown)
    assert len(prints) == 1
    del shown
    await until(lambda: len(prints) == 0)
