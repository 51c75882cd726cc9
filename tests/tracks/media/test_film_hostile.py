"""Films that lie, break off or take their decoder over, and processes that are killed: refused, and nothing left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from tests.children import children
from tests.tracks.media.clips import encoded, flash, movie, silent_flac, tone, video
from tests.waiting import until
from tracks.errors import Overloaded, PayloadTooLarge, UnsupportedMedia
from tracks.media import process
from tracks.media.film import examine, show_film
from tracks.media.limits import FILM, Limits
from tracks.media.ring import Ring
from tracks.media.shown import Played, Shot

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process, no zombie, and no descriptor is left."""
    here = psutil.Process()
    before, had = here.num_fds(), children()
    yield
    await until(lambda: children() == had, 5.0)
    await until(lambda: here.num_fds() <= before, 5.0)


@pytest.fixture
def rogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Makes the file that tells the child how to misbehave."""
    monkeypatch.setattr(process, "CHILD", "tests.tracks.media.rogue")

    def file(orders: str) -> Path:
        path = tmp_path / "orders"
        path.write_text(orders)
        return path

    return file


async def drop_all(parts: AsyncGenerator[Shot | Played, None]) -> int:
    """How many pictures there are still."""
    count = 0
    async for part in parts:
        if isinstance(part, Shot):
            part.drop()
            count += 1
    return count


async def watch(path: Path, limits: Limits = FILM) -> int:
    """Show all of it, and count the pictures."""
    async with show_film(path, limits=limits) as film:
        return await drop_all(film.parts())


@pytest.mark.parametrize(
    "orders",
    [
        *("nowhere near", "too large", "no size", "odd sides", "back in time", "no time", "next year"),
        *("long words", "half a sample", "said before", "part of it", "noise", "huge", "liar", "intruder"),
    ],
)
async def test_a_decoder_that_was_taken_over_is_not_believed(rogue: Callable[[str], Path], orders: str) -> None:
    """Slots that it was not given, pictures that do not fit, times that cannot be: the film is refused."""
    with pytest.raises(UnsupportedMedia, match="failed on it"):
        await watch(rogue(orders))


async def test_a_decoder_that_does_nothing_is_ended(rogue: Callable[[str], Path]) -> None:
    """It has so long for each picture."""
    with pytest.raises(UnsupportedMedia, match=r"nothing was decoded of it for 0\.5 s"):
        await watch(rogue("stuck"), Limits(stall_s=0.5))


async def test_waiting_for_the_reader_is_not_the_decoders_fault(tmp_path: Path) -> None:
    """A reader that keeps what is shown in the memory may take as long as it likes: the decoder has no room."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=2.0)
    async with show_film(path, limits=Limits(stall_s=0.2)) as film:
        parts = film.parts()
        shots = [await anext(parts) for _ in range(24)]
        reading = asyncio.ensure_future(anext(parts))
        done, _ = await asyncio.wait((reading,), timeout=0.5)
        assert not done
        for shot in shots:
            shot.drop()  # type: ignore[union-attr]
        await reading
        await parts.aclose()


async def test_a_slot_has_one_owner_at_a_time() -> None:
    """What the decoder has filled is not its own any more, until nobody looks at it."""
    ring = Ring(FILM)
    ring.fit(64, 64)
    slot = os.read(ring.free, 1)[0]
    ring.filled(slot, 64, 64)
    with pytest.raises(ValueError, match="cannot have a picture"):
        ring.filled(slot, 64, 64)
    frame = ring.take(slot, 64, 64, 0.0)
    with pytest.raises(ValueError, match="cannot have a picture"):
        ring.filled(slot, 64, 64)
    told = os.read(ring.free, 100)
    assert slot not in told
    del frame
    await asyncio.sleep(0)
    assert os.read(ring.free, 100) == bytes((slot,))
    ring.close()


async def test_fewer_large_pictures_than_small_ones_circulate() -> None:
    """64 MiB of them, but six at least."""
    for size, count in (((320, 180), 24), ((1920, 1080), 21), ((3840, 2160), 6)):
        ring = Ring(FILM)
        ring.fit(*size)
        assert len(os.read(ring.free, 100)) == count
        ring.close()


async def test_the_memory_cannot_be_cut_off() -> None:
    """Whoever has its descriptor can neither shrink it, which would kill who reads it, nor let it grow."""
    ring = Ring(FILM)
    for size in (0, ring.bytes * 2):
        with pytest.raises(PermissionError):
            os.ftruncate(ring.memory, size)
    ring.close()


async def test_a_decoder_that_is_killed_is_an_overload(tmp_path: Path) -> None:
    """The system's doing, not the file's; what it had shown is still there."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=8.0)
    async with show_film(path) as film:
        parts = film.parts()
        shot = await anext(parts)
        (child,) = children()
        child.send_signal(signal.SIGKILL)
        with pytest.raises(Overloaded, match="want of memory"):
            await drop_all(parts)
        assert shot.take().width == 320  # type: ignore[union-attr]


SHOW = """
import asyncio, sys
from pathlib import Path
from tracks.media.film import show_film
async def main():
    async with show_film(Path(sys.argv[1])) as film:
        parts = film.parts()
        frame = (await anext(parts)).take()
        print("shown", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_server_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """Its decoder ends with it, and the memory that they shared has no name to be left under."""
    path = movie(tmp_path / "clip.mp4", codecs=("libx264", ""), seconds=8.0)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SHOW, str(path)), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    assert await server.stdout.readline() == b"shown\n"
    (decoder,) = psutil.Process(server.pid).children()
    for each in (psutil.Process(server.pid), decoder):
        shared = [mapped.path for mapped in each.memory_maps(grouped=False) if mapped.perms == "rw-s"]
        assert shared == ["/memfd:pictures"]
    server.kill()
    await server.wait()
    await until(lambda: not decoder.is_running(), 5.0)


async def test_leaving_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """While it starts, while it waits for room, and between pictures."""
    path = movie(tmp_path / "clip.mp4", seconds=2.0)
    for turns in (0, 1, 2, 3, 5, 8, 13, 50, 200):
        watching = asyncio.create_task(watch(path))
        for _ in range(turns):
            await asyncio.sleep(0)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching


async def test_pictures_that_grow_past_the_cap_end_the_film(tmp_path: Path) -> None:
    """Whatever the file said at its beginning."""
    small = movie(tmp_path / "a.ts", "mpegts", ("libx264", ""), 1.0)
    large = movie(tmp_path / "b.ts", "mpegts", ("libx264", ""), 1.0, size=(640, 360))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(PayloadTooLarge, match="640x360, at most 100000 pixels"):
        await watch(path, Limits(max_pixels=100_000))


async def test_8k_is_refused_before_it_is_played(tmp_path: Path) -> None:
    """By the numbers in its header."""
    path = video(tmp_path / "clip.mp4", "mp4", "mpeg4", size=(7680, 4320), frames=1)
    with pytest.raises(PayloadTooLarge, match="7680x4320, at most 8294400 pixels"):
        await examine(path)


async def test_the_largest_pictures_that_are_taken_are_shown(tmp_path: Path) -> None:
    """3840x2160, within the memory that a decoder has."""
    assert await watch(video(tmp_path / "clip.mp4", "mp4", "libx264", size=(3840, 2160), frames=10)) == 10


@pytest.mark.parametrize("container", ["matroska", "mpegts", "mp4"])
async def test_a_film_that_is_too_long_is_refused(tmp_path: Path, container: str) -> None:
    """Whether the file states how long it is or not."""
    path = movie(tmp_path / "clip", container, ("mpeg4", ""), 5.0, rate=5)
    with pytest.raises(PayloadTooLarge, match="at most 3 s"):
        await examine(path, limits=Limits(max_duration_s=3.0))
    if container == "mpegts":
        with pytest.raises(PayloadTooLarge, match="at most 3 s"):
            await watch(path, Limits(max_duration_s=3.0))


async def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """700 s of silence in some kilobytes, which the file does not state."""
    (tmp_path / "bomb.flac").write_bytes(silent_flac(700, length_stated=False))
    with pytest.raises(PayloadTooLarge, match="at most 600 s"):
        await examine(tmp_path / "bomb.flac")


@pytest.mark.parametrize(("container", "options"), [("mp4", {"movflags": "faststart"}), ("avi", {})])
async def test_a_film_that_is_cut_off_is_refused(tmp_path: Path, container: str, options: dict[str, str]) -> None:
    """With how much of it is there."""
    path = tmp_path / "clip"
    with av.open(str(path), "w", format=container, options=options) as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(100):
            frame = flash(number % 2 == 0, (320, 180))
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnsupportedMedia, match="cut off"):
        await examine(path)


async def test_codecs_that_are_not_taken_are_named(tmp_path: Path) -> None:
    """Of picture and of sound, with what is taken, though the other could be played."""
    strange = movie(tmp_path / "a.mkv", "matroska", ("ffv1", "flac"), 0.5)
    with pytest.raises(UnsupportedMedia, match="video codec 'ffv1' is not taken; readable are h264"):
        await examine(strange)
    loud = movie(tmp_path / "b.mkv", "matroska", ("libx264", "wavpack"), 0.5)
    with pytest.raises(UnsupportedMedia, match="audio codec 'wavpack' is not taken; readable are wav"):
        await examine(loud)


async def test_a_file_with_nothing_to_play_is_refused(tmp_path: Path) -> None:
    """Subtitles alone are no film, and a header without pictures is none."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        out.start_encoding()
    with pytest.raises(UnsupportedMedia, match=r"nothing of its picture can be decoded|cannot be read"):
        await examine(path)


async def test_damaged_packets_are_left_out_and_counted(tmp_path: Path) -> None:
    """Noise in the middle of a film costs some pictures, not the rest."""
    path = movie(tmp_path / "clip.ts", "mpegts", ("mpeg2video", "mp2"), 4.0)
    data = bytearray(path.read_bytes())
    third = len(data) // 3 // 188 * 188
    data[third : third + 188 * 40] = np.random.default_rng(1).bytes(188 * 40)
    path.write_bytes(data)
    assert 40 < await watch(path) <= 100


async def test_a_recording_has_no_picture_to_examine(tmp_path: Path) -> None:
    """Sound alone is taken."""
    info = await examine(encoded(tmp_path / "a.ogg", "ogg", "libopus", tone(1.5, 48_000), 48_000))
    assert info.video is None
    assert info.duration_s == pytest.approx(1.5, abs=0.03)
