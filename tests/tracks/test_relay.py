from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiortc.mediastreams import MediaStreamError

from tests.fakes import Camera
from tests.waiting import until
from tracks.queued import QUEUE_FRAMES
from tracks.relay import Relay
from tracks.stats import Stats


@pytest.fixture
async def relay() -> AsyncIterator[tuple[Relay, Camera, Stats]]:
    camera, stats = Camera(), Stats()
    relay = Relay(camera, stats)
    relay.start()
    yield relay, camera, stats
    await relay.close()


async def test_every_viewer_gets_every_frame(relay: tuple[Relay, Camera, Stats]) -> None:
    """One reader of the source serves all."""
    source, camera, _ = relay
    viewers = [source.subscribe() for _ in range(3)]
    for n in range(5):
        camera.show(n)
        for viewer in viewers:
            assert (await viewer.recv()).pts == n


async def test_a_slow_viewer_loses_the_oldest_and_holds_up_nobody(relay: tuple[Relay, Camera, Stats]) -> None:
    """What a viewer does not take in time is dropped for newer frames, counted, and the others lose nothing."""
    source, camera, stats = relay
    slow, fast = source.subscribe(), source.subscribe()
    for n in range(6):
        camera.show(n)
        assert (await fast.recv()).pts == n
    assert [(await slow.recv()).pts for _ in range(QUEUE_FRAMES["video"])] == [4, 5]
    assert stats.drops["viewer"] == 6 - QUEUE_FRAMES["video"]


async def test_the_source_is_read_without_viewers(relay: tuple[Relay, Camera, Stats]) -> None:
    """Detection goes on when nobody watches."""
    source, camera, stats = relay
    assert not source.watched
    for n in range(4):
        camera.show(n)
    await until(lambda: stats.frames_out == 4)


async def test_viewers_end_with_the_source(relay: tuple[Relay, Camera, Stats]) -> None:
    """When there are no more frames every viewer is told."""
    source, camera, _ = relay
    viewer = source.subscribe()
    camera.end()
    with pytest.raises(MediaStreamError):
        await viewer.recv()
    assert viewer.readyState == "ended"


async def test_a_viewer_that_stops_is_forgotten(relay: tuple[Relay, Camera, Stats]) -> None:
    """Its queue is not filled any more."""
    source, camera, stats = relay
    viewer = source.subscribe()
    viewer.stop()
    assert not source.watched
    for n in range(5):
        camera.show(n)
    await until(lambda: stats.frames_out == 5)
    assert stats.drops["viewer"] == 0
