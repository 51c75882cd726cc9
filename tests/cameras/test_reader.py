"""What cameras send, read by the sealed process: every format, over TCP and UDP, with its times."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

from tests.cameras.camera import AAC, H264, H265, MJPEG, OPUS, PCMA, PCMU, camera
from tests.children import children
from tests.waiting import until
from tracks.media.live import SLOTS, connect, watch_camera
from tracks.media.shown import Played, Shot
from tracks.planes import planes
from tracks.sources.reach import Reach
from tracks.sources.rtsp import Target, probe
from tracks.sources.urls import parse

HERE = Reach.of(["127.0.0.1"])


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process is left."""
    yield
    await until(lambda: not children(), 5.0)


async def read(url: str, *, udp: bool = False, pictures: int = 12, samples: int = 0) -> tuple[list[Shot], list[Played]]:
    """So much of what the camera sends."""
    shots: list[Shot] = []
    played: list[Played] = []
    with contextlib.closing(await connect(parse(url), HERE, udp=udp)) as connection:
        async with watch_camera(connection, audio=samples > 0) as feed, aclosing(feed.parts()) as parts:
            async for part in parts:
                if isinstance(part, Shot):
                    frame = part.take()
                    # JPEG over RTP has sizes in units of 8 pixels.
                    assert (frame.width, frame.height in (180, 184), frame.format.name) == (320, True, "yuv420p")
                    assert planes(frame).y.max() > 200 > 60 > planes(frame).y.min()  # the ball, and what is around it
                    shots.append(part)
                    ages.append(time.monotonic() - part.at_s)
                elif isinstance(part, Played):
                    played.append(part)
                if len(shots) >= pictures and sum(len(each.samples) for each in played) >= samples:
                    assert feed.info.video is not None
                    assert feed.info.video.width == 320
                    return shots, played
    raise AssertionError("it ended")


ages: list[float] = []


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
@pytest.mark.parametrize(
    ("video", "audio"),
    [(H264, OPUS), (H265, PCMU), (MJPEG, PCMA), (H264, AAC)],
    ids=["h264-opus", "h265-pcmu", "mjpeg-pcma", "h264-aac"],
)
async def test_what_cameras_send_is_seen_and_heard(video: str, audio: str, udp: bool) -> None:
    """Pictures and a tone, placed in real time by the camera's own timestamps."""
    ages.clear()
    async with camera(video + audio) as each:
        shots, played = await read(each.url, udp=udp, samples=24_000)
    steps = np.diff([shot.at_s for shot in shots])
    assert statistics.median(steps) == pytest.approx(1 / 15, abs=0.004)
    assert statistics.median(ages) < 0.25
    assert max(np.abs(part.samples).max() for part in played[5:]) > 3000
    assert played[-1].start_s == pytest.approx(shots[-1].at_s, abs=0.5)


async def test_credentials_are_answered_by_digest() -> None:
    """And without them, or with others, there is no picture: see test_bad_cameras.py."""
    async with camera(H264, "admin", "p@ss/w:rd") as each:
        found = await probe(Target(parse(f"rtsp://admin:p%40ss%2Fw%3Ard@127.0.0.1:{each.port}/live"), HERE))
    assert found.media.video is not None
    assert (found.media.video.codec, found.media.audio) == ("h264", None)
    assert (found.picture.width, found.picture.height) == (320, 180)


async def test_who_does_not_keep_up_gets_the_newest() -> None:
    """Pictures that nobody has room for are left out, and counted; those that come later are new ones."""
    async with camera(H264) as each:
        with contextlib.closing(await connect(parse(each.url), HERE)) as connection:
            async with watch_camera(connection, audio=False) as feed, aclosing(feed.parts()) as parts:
                kept: list[Shot] = []  # neither taken nor dropped: their slots are out
                async for part in parts:
                    if isinstance(part, Shot):
                        kept.append(part)
                    elif not isinstance(part, Played) and part.late >= 10:
                        break
                assert len(kept) == SLOTS
                dropped_s = time.monotonic()
                for shot in kept:
                    shot.drop()
                async for part in parts:
                    if isinstance(part, Shot):
                        assert part.at_s > dropped_s - 0.2
                        break
