"""The client's camera, and a server's numbers."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from bench import strip
from bench.client import NumberedTrack
from bench.content import FPS, Content
from bench.scrape import DROPS, FRAMES, LAG, Scrape
from tracks.planes import planes


def content() -> Content:
    """A dark and a light frame, shown dark, light, light, dark."""
    frames = np.stack([np.full((1080, 1280), grey, np.uint8) for grey in (50, 200)])
    return Content("greys", "0", frames, np.array([0, 1, 1, 0], np.int32))


async def test_the_camera_keeps_thirty_frames_a_second_by_the_clock() -> None:
    """Ten frames take nine intervals, each carries its number and its own picture, pts count in 90 kHz."""
    camera = NumberedTrack(content())
    began_s = time.monotonic()
    frames = [await camera.recv() for _ in range(10)]
    elapsed_s = time.monotonic() - began_s
    camera.stop()
    numbers = [strip.read(frame) for frame in frames]
    assert elapsed_s >= 9 / FPS
    assert numbers == sorted(camera.sent_s)
    assert [frame.pts for frame in frames] == [number * 3000 for number in numbers if number is not None]
    shown = [int(planes(frame).y[0, 0]) for frame in frames]
    assert shown == [(50, 200, 200, 50)[number % 4] for number in numbers if number is not None]


async def test_a_camera_that_was_held_up_skips_frames_instead_of_sending_them_in_a_burst() -> None:
    """After a third of a second, the next frame is the one that is due now, and the lost ones are counted."""
    camera = NumberedTrack(content())
    await camera.recv()
    await asyncio.sleep(10 / FPS)
    number = strip.read(await camera.recv())
    camera.stop()
    assert number is not None
    assert number >= 10
    assert camera.skipped == number - 1
    assert camera.sent == 2


def test_samples_are_found_by_name_and_label() -> None:
    """A sample that is not there is None, never 0."""
    scrape = Scrape(
        "# TYPE vedette_loop_lag_seconds gauge\n"
        'vedette_loop_lag_seconds{quantile="0.5"} 0.001\n'
        'vedette_loop_lag_seconds{quantile="0.99"} 0.02\n'
        "# TYPE vedette_frames counter\n"
        'vedette_frames_total{flow="in"} 300\n'
        'vedette_frames_total{flow="detected"} 120\n'
    )
    assert scrape.value(LAG, quantile="0.99") == 0.02
    assert scrape.value(LAG, quantile="0.9") is None
    assert scrape.by(FRAMES, "flow") == {"in": 300.0, "detected": 120.0}
    assert scrape.by(DROPS, "where") == {}
