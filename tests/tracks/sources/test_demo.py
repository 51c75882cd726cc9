"""The demo source: its picture, its sound, and that they are of one time."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import threading
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from tests.tracks.sources.clocks import ManualClock
from tracks.errors import SourceUnreachable
from tracks.planes import planes
from tracks.registry import SOURCES, resolve
from tracks.sources import Source
from tracks.sources.camera import View
from tracks.sources.demo import LOOP_S, DemoSource, open_demo
from tracks.sources.gallery import photographs
from tracks.sources.panorama import Panorama
from tracks.sources.speech import ASSETS, captions, speech


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def demo(clock: ManualClock) -> AsyncIterator[DemoSource]:
    """An open demo whose clock is the test's."""
    source = await open_demo(pace=clock.pace())
    yield source
    await source.close()


async def test_the_registry_opens_it() -> None:
    """`demo` is a kind, and what it gives is a source with both tracks."""
    source: Source = await resolve(SOURCES["demo"])()
    assert source.video is not None
    assert source.video.kind == "video"
    assert source.audio is not None
    assert source.audio.kind == "audio"
    await source.close()


async def test_frames_move_and_carry_the_time_they_are_due(demo: DemoSource, clock: ManualClock) -> None:
    """1280x720 yuv420p, 30 a second, each a little different from the one before."""
    previous: np.ndarray | None = None
    for number in range(12):
        frame = await demo.video.recv()
        assert isinstance(frame, VideoFrame)
        assert (frame.width, frame.height, frame.format.name) == (1280, 720, "yuv420p")
        assert (frame.pts, frame.time_base) == (number * 3000, Fraction(1, 90_000))
        assert clock.now_s - 1000 == pytest.approx(number / 30)
        luma = planes(frame).y.astype(int)
        if previous is not None:
            assert 0.5 < np.abs(luma - previous).mean() < 30
        previous = luma


async def test_the_loop_closes_without_a_jump(demo: DemoSource, clock: ManualClock) -> None:
    """The first frame of the second loop is the first of the first, and follows its last like any other."""
    first = await demo.video.recv()
    clock.now_s = 1000 + LOOP_S - 1 / 30
    last, again = await demo.video.recv(), await demo.video.recv()
    after = await demo.video.recv()
    assert again.pts == LOOP_S * 90_000
    luma = [planes(frame).y.astype(int) for frame in (first, last, again, after)]
    assert np.abs(luma[0] - luma[2]).max() <= 1
    seam, usual = np.abs(luma[2] - luma[1]).mean(), np.abs(luma[3] - luma[2]).mean()
    assert seam == pytest.approx(usual, rel=0.3)


async def test_a_reader_that_comes_late_gets_the_picture_of_now(demo: DemoSource, clock: ManualClock) -> None:
    """Frames of the past are not handed out, and pts stay true to time."""
    await demo.video.recv()
    clock.now_s += 5.01
    assert (await demo.video.recv()).pts == 150 * 3000
    assert (await demo.video.recv()).pts == 151 * 3000


async def test_frames_are_rendered_on_a_thread(demo: DemoSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's thread draws nothing."""
    threads: list[int] = []
    made = Panorama.render

    def render(panorama: Panorama, view: View) -> VideoFrame:
        threads.append(threading.get_ident())
        return made(panorama, view)

    monkeypatch.setattr(Panorama, "render", render)
    await demo.video.recv()
    assert threads
    assert threading.get_ident() not in threads


async def test_sound_and_picture_are_of_one_clock(demo: DemoSource, clock: ManualClock) -> None:
    """Sound that is first read two seconds after the picture says so, and what it says is what is said then."""
    await demo.video.recv()
    clock.now_s += 2.0
    packet = await demo.audio.recv()
    assert isinstance(packet, AudioFrame)
    assert (packet.samples, packet.sample_rate, packet.format.name) == (960, 48_000, "s16")
    assert (packet.layout.name, packet.time_base) == ("mono", Fraction(1, 48_000))
    assert packet.pts / 48_000 == pytest.approx(2.0, abs=0.2)
    assert np.array_equal(packet.to_ndarray()[0], speech(LOOP_S)[packet.pts : packet.pts + 960])


async def test_the_sound_goes_on_from_loop_to_loop(demo: DemoSource, clock: ManualClock) -> None:
    """Every 20 ms, without a gap, also where the loop begins anew."""
    packets = round(LOOP_S * 50)
    heard = [await demo.audio.recv() for _ in range(packets + 100)]
    assert [packet.pts for packet in heard] == [number * 960 for number in range(packets + 100)]
    assert clock.now_s - 1000 == pytest.approx((packets + 99) / 50)
    for number in (0, 60, 99):
        assert np.array_equal(heard[number].to_ndarray(), heard[packets + number].to_ndarray())


async def test_it_sounds_where_a_caption_says_so_and_nowhere_else(demo: DemoSource) -> None:
    """Energy is inside the captions; outside them is silence."""
    samples = speech(LOOP_S) / 32_768
    quiet = np.ones(len(samples), bool)
    assert len(demo.captions()) == 5
    for caption in demo.captions():
        inside = slice(round(caption.start_s * 48_000), round(caption.end_s * 48_000))
        quiet[inside] = False
        for edge in (samples[inside][:9600], samples[inside][-9600:], samples[inside]):
            assert np.sqrt((edge**2).mean()) > 0.02, caption
    assert np.abs(samples[quiet]).max() < 0.002


def test_the_plain_sentences_are_the_captions() -> None:
    """Both files say the same, in order and without overlap, within one loop."""
    spoken = captions()
    assert (ASSETS / "demo.txt").read_text("utf-8").splitlines() == [caption.text for caption in spoken]
    times = [second for caption in spoken for second in (caption.start_s, caption.end_s)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < LOOP_S


async def test_closing_ends_both_tracks_even_for_who_waits() -> None:
    """Whoever is in `recv` is told, reading afterwards is an error, and closing again is none."""
    source = await open_demo()
    await source.video.recv()
    await source.audio.recv()
    waiting = [asyncio.create_task(track.recv()) for track in (source.video, source.audio)]
    await asyncio.sleep(0)
    await source.close()
    async with asyncio.timeout(1):
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in ended] == [MediaStreamError, MediaStreamError]
    await source.close()
    for track in (source.video, source.audio):
        with pytest.raises(MediaStreamError):
            await track.recv()


async def test_missing_photographs_are_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No package, no file, no picture, another picture: each is told with a stable code."""
    with pytest.raises(SourceUnreachable, match=r"photograph .*\.jpg cannot be read") as caught:
        await open_demo(folder=tmp_path)
    assert caught.value.code == "source_unreachable"
    for name in ("bus.jpg", "zidane.jpg"):
        (tmp_path / name).write_bytes(b"not a picture")
    with pytest.raises(SourceUnreachable, match=r"\.jpg is not a picture"):
        await open_demo(folder=tmp_path)
    for name in ("bus.jpg", "zidane.jpg"):
        shutil.copy(photographs() / "bus.jpg", tmp_path / name)
    with pytest.raises(SourceUnreachable, match=r"zidane\.jpg is not the one that the demo knows"):
        await open_demo(folder=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceUnreachable, match="ultralytics package, which is not installed"):
        await open_demo()


@pytest.mark.parametrize(("read", "name"), [(captions, "demo.vtt"), (lambda path: speech(LOOP_S, path), "demo.ogg")])
def test_missing_speech_is_an_error_that_says_so(read: object, name: str, tmp_path: Path) -> None:
    """A damaged installation is named, not silently mute."""
    with pytest.raises(SourceUnreachable, match=f"{name} cannot be read"):
        read(tmp_path / name)  # type: ignore[operator]
