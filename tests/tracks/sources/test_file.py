"""A file as a source: in real time, by one clock, and over when it is over."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from av.frame import Frame

from tests.children import children
from tests.tracks.media.clips import movie, video
from tests.tracks.media.test_film import is_bright
from tests.tracks.sources.clocks import SteppedClock
from tests.waiting import until
from tracks.errors import Overloaded, SourceUnreachable, UnsupportedMedia
from tracks.registry import SOURCES, resolve
from tracks.sources import Source
from tracks.sources.file import open_file
from tracks.stats import Stats


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process is left."""
    yield
    await until(lambda: not children(), 5.0)


async def all_of(track: MediaStreamTrack | None) -> list[tuple[float, Frame]]:
    """Every frame until the track ends, and when it came."""
    assert track is not None
    frames = []
    try:
        while True:
            frame = await track.recv()
            frames.append((time.monotonic(), frame))
    except MediaStreamError:
        return frames  # type: ignore[return-value]


def seconds(frame: Frame) -> float:
    assert frame.pts is not None
    return float(frame.pts * frame.time_base)


async def test_a_file_is_played_in_real_time(tmp_path: Path) -> None:
    """Every picture and all sound, neither before their time nor much after it; then both tracks end."""
    source: Source = await resolve(SOURCES["upload"])(path=movie(tmp_path / "clip.mp4", seconds=1.0))
    pictures, sound = await asyncio.gather(all_of(source.video), all_of(source.audio))
    await source.close()
    assert source.failure is None
    began_s = pictures[0][0]
    assert [seconds(frame) for _, frame in pictures] == pytest.approx([n / 25 for n in range(25)], abs=1e-4)
    assert all(-0.02 < came_s - began_s - seconds(frame) < 0.3 for came_s, frame in (*pictures, *sound))
    for _, frame in sound:
        assert isinstance(frame, AudioFrame)
        assert (frame.format.name, frame.sample_rate, frame.samples, frame.layout.name) == (
            "s16",
            48_000,
            960,
            "stereo",
        )
    assert [frame.pts for _, frame in sound[:3]] == [0, 960, 1920]
    flash_s = next(seconds(frame) for _, frame in pictures if isinstance(frame, VideoFrame) and is_bright(frame))
    beep_s = next(seconds(frame) for _, frame in sound if np.abs(frame.to_ndarray()).max() > 3000)  # type: ignore[attr-defined]
    assert beep_s == pytest.approx(flash_s, abs=0.045)


async def test_nothing_is_due_before_somebody_reads(tmp_path: Path) -> None:
    """The clock begins with the first reader, whatever has been decoded by then."""
    clock, stats = SteppedClock(), Stats()
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=1.0)
    source = await open_file(path, pace=clock.pace(), stats=stats)
    await until(lambda: stats.queues["source"]() >= 20)
    await clock.move(100.0)
    assert source.video is not None
    assert (await source.video.recv()).pts == 0
    waiting = asyncio.ensure_future(source.video.recv())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    await clock.move(0.04)
    assert (await waiting).pts == 3600
    await source.close()


async def test_pictures_that_are_late_give_way(tmp_path: Path) -> None:
    """When nobody could show them in time, the newest is shown, and those before it are counted; sound is kept."""
    clock, stats = SteppedClock(), Stats()
    source = await open_file(movie(tmp_path / "clip.mp4", seconds=2.0), pace=clock.pace(), stats=stats)
    assert source.video is not None
    assert source.audio is not None
    await source.video.recv()
    await source.audio.recv()
    await until(lambda: stats.queues["source"]() >= 20)
    await clock.move(0.6)
    assert [seconds(await source.video.recv()) for _ in range(2)] == pytest.approx([0.56, 0.6])
    assert stats.drops["source"] == 13
    assert [seconds(await source.audio.recv()) for _ in range(29)] == pytest.approx([n / 50 for n in range(1, 30)])
    await source.close()


async def test_a_track_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    """Its frames are lost, and the other plays on."""
    stats = Stats()
    source = await open_file(movie(tmp_path / "clip.mp4", seconds=1.5), stats=stats)
    assert len(await all_of(source.video)) > 30
    assert stats.drops["source"] >= 20
    await source.close()


async def test_only_what_is_wanted_has_a_track(tmp_path: Path) -> None:
    """Nor has what is not in the file."""
    path = movie(tmp_path / "clip.mp4", seconds=0.5)
    for wanted in (True, False):
        source = await open_file(path, video=wanted, audio=not wanted)
        assert (source.video is not None, source.audio is not None) == (wanted, not wanted)
        await source.close()
    source = await open_file(video(tmp_path / "mute.mp4", "mp4", "mpeg4"))
    assert source.audio is None
    await source.close()


async def test_closing_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever waits for a frame is told, and it may be closed again."""
    source = await open_file(movie(tmp_path / "clip.mp4", seconds=5.0), pace=SteppedClock().pace())
    reading = asyncio.gather(all_of(source.video), all_of(source.audio))
    await asyncio.sleep(0)
    await source.close()
    await source.close()
    pictures, _ = await reading
    assert len(pictures) < 10


async def test_a_decoder_that_dies_ends_it_with_the_reason(tmp_path: Path) -> None:
    """Both tracks end, and why is known."""
    source = await open_file(movie(tmp_path / "clip.mp4", seconds=8.0))
    assert source.video is not None
    await source.video.recv()
    children()[0].send_signal(signal.SIGKILL)
    await asyncio.gather(all_of(source.video), all_of(source.audio))
    assert isinstance(source.failure, Overloaded)
    await source.close()


async def test_what_cannot_be_played_is_not_opened(tmp_path: Path) -> None:
    """A file that is gone, and one that is none."""
    with pytest.raises(SourceUnreachable, match="gone"):
        await open_file(tmp_path / "nothing.mp4")
    (tmp_path / "text.mp4").write_text("hello " * 100)
    with pytest.raises(UnsupportedMedia):
        await open_file(tmp_path / "text.mp4")
