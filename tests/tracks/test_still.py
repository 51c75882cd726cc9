"""The last picture of a source that gives no more."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import VIDEO_TIME_BASE, MediaStreamError
from av import VideoFrame

from tests.fakes import Camera, picture
from tracks import still as module
from tracks.planes import planes
from tracks.still import NOTHING_YET, StillTrack, age, still


def test_a_still_cannot_be_taken_for_a_live_picture() -> None:
    """It is darker, has no colour to speak of, and says what is the matter; the picture itself is left alone."""
    frame = picture(200)
    before = planes(frame).y.copy()
    marked = still(frame, "reconnecting · no picture for 12 s")
    assert (marked.width, marked.height) == (frame.width, frame.height)
    middle = planes(marked).y[frame.height // 2 - 6 : frame.height // 2 + 6]
    assert middle.max() > 200 > 32 > middle.min()
    assert planes(marked).y[:40].max() < before[:40].max()
    assert (planes(frame).y == before).all()


@pytest.mark.parametrize("size", [(64, 48), (320, 180), (640, 362), (3840, 2160)])
def test_any_size_can_be_marked(size: tuple[int, int]) -> None:
    """Text is as large as there is room for."""
    frame = VideoFrame(*size, "yuv420p")
    marked = still(frame, "reconnecting · no picture for 12 min")
    assert (marked.width, marked.height) == size
    assert planes(marked).y.max() > 150


def test_ages_are_told_in_words() -> None:
    """As people say them."""
    assert [age(seconds) for seconds in (0.4, 119, 120, 7199, 7200, 90_000)] == [
        *("0 s", "119 s", "2 min", "119 min", "2 h", "25 h"),
    ]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL_S", 0.02)


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_track_goes_on_while_its_source_is_away() -> None:
    """With stills, whose times go on with the clock; what comes late is left out, what comes in time is passed on."""
    source, clock, last = Camera(), Clock(), picture(200)
    track = StillTrack(source, lambda: last, lambda: "away", clock)
    source.show(900)
    assert (await track.recv()).pts == 900
    clock.now_s += 2.0
    away = await track.recv()
    assert (away.pts, away.time_base) == (900 + 180_000, VIDEO_TIME_BASE)
    source.show(1000)
    source.show(181_000)
    assert (await track.recv()).pts == 181_000
    source.end()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_before_the_first_picture_there_is_one_that_says_so() -> None:
    """Of no source's size."""
    track = StillTrack(Camera(), lambda: None, lambda: "connecting · no picture yet")
    first, second = await track.recv(), await track.recv()
    assert (first.width, first.height) == NOTHING_YET
    assert first.pts is not None
    assert second.pts is not None
    assert second.pts > first.pts


async def test_a_source_that_need_not_be_shown_again_is_waited_for() -> None:
    """As with a client that publishes, and stops."""
    source = Camera()
    waiting = asyncio.ensure_future(StillTrack(source, lambda: picture(None), lambda: None).recv())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    source.show(7)
    assert (await waiting).pts == 7
