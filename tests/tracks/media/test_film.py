"""Honest films of every kind: pictures through shared memory, sound through the pipe, both on one time."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from av import VideoFrame
from numpy.typing import NDArray

from tests.children import children
from tests.tracks.media.clips import encoded, movie, tone, video
from tests.waiting import until
from tracks.media.film import Film, examine, show_film
from tracks.media.shown import Played, Shot
from tracks.media.slots import MAX_SLOTS
from tracks.media.wire import PLAY_RATE
from tracks.planes import planes

KINDS = [
    ("mp4", ("libx264", "aac")),
    ("mov", ("libx264", "pcm_s16le")),
    ("webm", ("libvpx", "libopus")),
    ("webm", ("libvpx-vp9", "libopus")),
    ("matroska", ("libx264", "flac")),
    ("avi", ("mpeg4", "pcm_s16le")),
    ("mpegts", ("mpeg2video", "mp2")),
]


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process and no descriptor is left, and no memory that frames came in."""
    here = psutil.Process()
    before, had, memories = here.num_fds(), children(), mapped()
    yield
    gc.collect()
    await until(lambda: children() == had, 5.0)
    await until(lambda: here.num_fds() <= before, 5.0)
    assert mapped() <= memories


def resident(pid: int | None = None) -> int:
    """Bytes of memory for pictures that a process has touched, this one if none is named."""
    return sum(each.rss for each in psutil.Process(pid).memory_maps() if "memfd:pictures" in each.path)


def mapped() -> int:
    """How many memories for pictures this process has."""
    return sum("memfd:pictures" in each.path for each in psutil.Process().memory_maps(grouped=False))


@dataclass
class Seen:
    """What was shown and played."""

    pictures: list[tuple[float, int, int]] = field(default_factory=list)
    """Media time, width, height."""
    bright: list[bool] = field(default_factory=list)
    """Whether the rectangle was there, by picture."""
    heard: list[tuple[float, NDArray[np.int16]]] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        return [at_s for at_s, _, _ in self.pictures]

    @property
    def flashes(self) -> list[float]:
        """When the rectangle appeared."""
        before = [False, *self.bright]
        return [at_s for at_s, was, now in zip(self.times, before, self.bright, strict=False) if now and not was]

    @property
    def beeps(self) -> list[float]:
        """When a beep began: loud after at least 0.1 s of silence."""
        loud = np.concatenate(
            [
                start_s + np.flatnonzero(np.abs(samples[:, 0].astype(int)) > 3000) / PLAY_RATE
                for start_s, samples in self.heard
            ]
        )
        return [float(now) for before, now in zip([-1.0, *loud], loud, strict=False) if now - before > 0.1]


def is_bright(frame: VideoFrame) -> bool:
    luma = planes(frame).y
    height, width = luma.shape
    return bool(luma[3 * height // 8, width // 5] > 150)


async def seen(path: Path, *, video: bool = True, audio: bool = True) -> Seen:
    found = Seen()
    async with show_film(path, video=video, audio=audio) as film:
        async for part in film.parts():
            match part:
                case Shot():
                    found.pictures.append((part.at_s, part.width, part.height))
                    found.bright.append(is_bright(part.take()))
                case Played():
                    found.heard.append((part.start_s, part.samples))
    assert film.ending is not None
    assert (film.ending.damaged, film.ending.cut_off) == (0, False)
    return found


@pytest.mark.parametrize(("container", "codecs"), KINDS)
async def test_every_kind_is_shown_and_played_in_its_time(
    tmp_path: Path, container: str, codecs: tuple[str, str]
) -> None:
    """Every picture comes, in the order of time; a flash and a beep that begin at once stay together."""
    found = await seen(movie(tmp_path / "clip", container, codecs, 2.5))
    assert len(found.pictures) == pytest.approx(62, abs=1)
    assert set(found.pictures[0][1:]) == {320, 180}
    assert np.diff(found.times) == pytest.approx(np.full(len(found.times) - 1, 0.04), abs=0.002)
    assert sum(len(samples) for _, samples in found.heard) / PLAY_RATE == pytest.approx(2.5, abs=0.06)
    assert found.flashes == pytest.approx([0.5, 1.5], abs=0.1)  # of AVI and TS the beginning is not quite told
    assert found.beeps == pytest.approx(found.flashes, abs=0.045)


async def test_pictures_are_those_that_libav_decodes_here(shared: Path) -> None:
    """Every sample of every plane, and every time, of a real film with B-frames."""
    path = shared / "media" / "people-and-speech.mp4"
    with av.open(str(path)) as container:
        async with show_film(path, audio=False) as film:
            parts = film.parts()
            for expected in container.decode(video=0):
                shot = await anext(parts)
                assert isinstance(shot, Shot)
                assert shot.at_s == pytest.approx(expected.time, abs=1e-6)
                frame = shot.take()
                assert frame.pts == round(shot.at_s * 90_000)
                for plane, reference in zip(planes(frame), planes(expected), strict=True):
                    assert np.array_equal(plane, reference)
                if shot.at_s > 3.0:
                    break
            await parts.aclose()


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "colour_range"),
    [("libx264", "yuv422p10le", 1), ("libx264", "yuv444p", 1), ("libx264", "yuv420p", 2), ("mjpeg", "yuvj420p", 2)],
)
async def test_pictures_of_every_format_become_one(tmp_path: Path, codec: str, pix_fmt: str, colour_range: int) -> None:
    """8-bit yuv420p of limited range, whatever depth, range and chroma they had: grey 30 stays what it was."""
    path = movie(tmp_path / "clip.mov", "mov", (codec, ""), 0.5, pix_fmt=pix_fmt, colour_range=colour_range)
    async with show_film(path) as film:
        async for part in film.parts():
            assert isinstance(part, Shot)
            frame = part.take()
            assert frame.format.name == "yuv420p"
            expected = 30 * 219 / 255 + 16
            if codec != "mjpeg" and colour_range == 2:  # the samples of the clip are limited, and said to be full
                expected = expected * 219 / 255 + 16
            assert planes(frame).y[170, 300] == pytest.approx(expected, abs=2.5)


async def test_an_odd_edge_is_left_out(tmp_path: Path) -> None:
    """Encoders and chroma planes want even sides; lines with padding are copied without."""
    found = await seen(movie(tmp_path / "clip.webm", "webm", ("libvpx-vp9", ""), 0.2, size=(321, 181)))
    assert found.pictures[0][1:] == (320, 180)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
async def test_pictures_are_turned_upright(tmp_path: Path, degrees: int) -> None:
    """As a phone's film asks for: the rectangle, at the left and above the middle, is found where it belongs."""
    path = turned(movie(tmp_path / "clip.mp4", codecs=("libx264", "aac"), seconds=1.0), degrees)
    upright = degrees % 180 == 0
    info = await examine(path)
    assert info.video is not None
    assert (info.video.width, info.video.height) == ((320, 180) if upright else (180, 320))
    async with show_film(path, audio=False) as film:
        async for part in film.parts():
            if part.at_s > 0.6:
                luma = np.rot90(planes(part.take()).y, degrees // 90)
                assert luma.shape == (180, 320)
                assert luma[68, 64] > 150
                assert luma[112, 256] < 60
                break


def turned(path: Path, clockwise: int) -> Path:
    """Write a rotation into an MP4's track header (ISO 14496-12, 8.3.2): a matrix of 16.16 numbers."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for index, value in ((0, cos), (1, sin), (3, -sin), (4, cos)):
        data[at + 4 * index : at + 4 * index + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path


async def test_only_what_is_wanted_is_decoded(tmp_path: Path) -> None:
    """Sound without pictures and pictures without sound."""
    path = movie(tmp_path / "clip.mp4", seconds=1.0)
    assert (await seen(path, video=False)).pictures == []
    assert (await seen(path, audio=False)).heard == []


async def test_a_file_may_have_one_of_the_two(tmp_path: Path) -> None:
    """A silent film and a recording are shown and played, and say so before."""
    mute = video(tmp_path / "mute.mp4", "mp4", "mpeg4", frames=5)
    spoken = encoded(tmp_path / "spoken.flac", "flac", "flac", tone(1.0, 48_000), 48_000)
    async with show_film(mute) as film:
        assert (film.shows, film.plays) == (True, False)
    async with show_film(spoken) as film:
        assert (film.shows, film.plays) == (False, True)
    assert len((await seen(mute)).pictures) == 5
    assert (await seen(spoken)).beeps == pytest.approx([0.0], abs=0.01)


async def test_a_picture_that_changes_its_size_does_so_here_too(tmp_path: Path) -> None:
    """As a browser's recordings do; and where timestamps jump back, the rest of both streams follows on what was."""
    small = movie(tmp_path / "a.ts", "mpegts", ("libx264", "aac"), 2.0)
    large = movie(tmp_path / "b.ts", "mpegts", ("libx264", "aac"), 2.0, size=(640, 360))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    found = await seen(path)
    assert [size for _, *size in found.pictures] == [[320, 180]] * 50 + [[640, 360]] * 50
    assert min(np.diff(found.times)) > 0.0
    assert found.flashes == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.1)
    assert found.beeps == pytest.approx(found.flashes, abs=0.07)


async def hold(film: Film, count: int) -> list[VideoFrame]:
    """Take pictures and keep them."""
    held: list[VideoFrame] = []
    async with aclosing(film.parts()) as parts:
        async for part in parts:
            if isinstance(part, Shot):
                held.append(part.take())
                if len(held) == count:
                    break
    return held


async def test_the_decoder_waits_for_room(tmp_path: Path) -> None:
    """Without a reader it stops when the slots are full: memory is bounded by them, whatever the length of the film."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=4.0, size=(640, 360))
    async with show_film(path) as film:
        (child,) = children()
        parts = film.parts()
        first = await anext(parts)
        assert isinstance(first, Shot)
        written = -1
        while written != (written := child.io_counters().write_chars) or child.status() == psutil.STATUS_RUNNING:
            await until(lambda: child.status() != psutil.STATUS_RUNNING)
        assert MAX_SLOTS * 0.9 <= resident(child.pid) / (640 * 360 * 1.5) <= MAX_SLOTS * 1.1
        first.drop()
        count = 1
        async for part in parts:
            assert isinstance(part, Shot)
            part.drop()
            count += 1
    assert count == 100


async def test_frames_are_views_until_somebody_keeps_them(tmp_path: Path) -> None:
    """A reader that keeps every frame of a film does not stop it: it gets copies once half of the slots are out."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=4.0)
    async with show_film(path) as film:
        held = await hold(film, 100)
    assert len({frame.pts for frame in held}) == 100
    assert [is_bright(frame) for frame in held].count(True) == 4 * 7
    del held


async def test_a_frame_outlives_its_film(tmp_path: Path) -> None:
    """Whoever shows the last picture need not hurry: its memory goes with it."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=1.0, first_s=0.0)
    before = mapped()
    async with show_film(path) as film:
        (frame,) = await hold(film, 1)
    assert is_bright(frame)
    assert mapped() == before + 1
    del frame, film
    await until(lambda: mapped() == before)


async def test_what_is_measured_is_told(tmp_path: Path) -> None:
    """The duration of what states none, as a browser's recordings: where its last packet ends."""
    path = movie(tmp_path / "clip.ts", "mpegts", ("libx264", "aac"), 3.0)
    assert (await examine(path)).duration_s == pytest.approx(3.0, abs=0.06)
