"""The server's end of the child: whatever becomes of the child, or of its reader, nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from tests.children import children
from tests.tracks.media.clips import encoded, silent_flac, tone
from tests.waiting import until
from tracks.errors import Overloaded, UnsupportedMedia, VedetteError
from tracks.media import process
from tracks.media.decode import decode_audio, probe, read_audio
from tracks.media.limits import MIB, Limits


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process, no zombie and no descriptor is left."""
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


QUICK = Limits(cpu_s=1, open_s=1.0, wait_s=1.0)


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ("mute", "cannot be opened within 1 s"),
        ("stuck", "takes longer than 1 s"),
        ("dribble", "takes longer than 1 s"),
        ("spin", "more than 1 s of processor time|takes longer"),
        (f"signal {int(signal.SIGSEGV)}", r"crashed on it \(SIGSEGV\)"),
        (f"signal {int(signal.SIGABRT)}", r"crashed on it \(SIGABRT\)"),
        ("leave", r"failed on it \(status 3\)"),
        ("hungry", r"failed on it \(status 1\)|takes longer"),
        *(
            (each, "failed on it")
            for each in ("noise", "huge", "odd", "nowhere", "far", "backwards", "liar", "intruder")
        ),
    ],
)
async def test_what_a_file_does_to_the_child_is_the_files_fault(
    rogue: Callable[[str], Path], orders: str, message: str
) -> None:
    """Crash, hang, greed and messages that are none end as unsupported media, with the reason."""
    with pytest.raises(UnsupportedMedia, match=message):
        await read_audio(rogue(orders), limits=QUICK)


async def test_processor_time_is_bounded(rogue: Callable[[str], Path]) -> None:
    """A child that computes for ever is ended by the system, and that is told."""
    with pytest.raises(UnsupportedMedia, match="more than 1 s of processor time"):
        await read_audio(rogue("spin"), limits=Limits(cpu_s=1, wait_s=60.0))


async def test_what_the_system_does_to_the_child_is_not_the_files_fault(rogue: Callable[[str], Path]) -> None:
    """A child that was killed, or did not start, is an overload: the same file may be read another time."""
    with pytest.raises(Overloaded, match="want of memory"):
        await read_audio(rogue(f"signal {int(signal.SIGKILL)}"))
    with pytest.raises(Overloaded, match=r"did not start within 0\.5 s"):
        await read_audio(rogue("asleep"), limits=Limits(start_s=0.5))


async def test_why_a_child_did_not_start_is_in_the_log(
    rogue: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The last words of the child are the operator's, not the client's."""
    with caplog.at_level(logging.WARNING), pytest.raises(Overloaded) as caught:
        await probe(rogue("stillborn"))
    assert "no such library" in caplog.text
    assert "library" not in caught.value.message


async def test_leaving_early_ends_the_child(tmp_path: Path) -> None:
    """A reader that has enough, or fails, takes the child with it."""
    path = encoded(tmp_path / "clip.flac", "flac", "flac", tone(60.0, 16_000), 16_000)
    async with decode_audio(path) as audio:
        async for _ in audio.chunks():
            break
    with pytest.raises(ZeroDivisionError):
        async with decode_audio(path) as audio:
            raise ZeroDivisionError


@pytest.mark.parametrize("orders", ["asleep", "mute", "stuck", "spin", "endless"])
async def test_cancelling_ends_the_child(rogue: Callable[[str], Path], orders: str) -> None:
    """A request that is gone leaves no process, wherever it was."""
    reading = asyncio.create_task(read_audio(rogue(orders), limits=Limits(max_duration_s=1e9)))
    await until(children)
    (child,) = children()
    await until(lambda: orders == "asleep" or reading.done() or _has_run(child))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not child.is_running()


async def test_cancelling_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """Between opening, starting and reading too."""
    path = encoded(tmp_path / "clip.flac", "flac", "flac", tone(1.0, 16_000), 16_000)
    for turns in range(12):
        reading = asyncio.create_task(read_audio(path))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_the_child_waits_for_its_reader(rogue: Callable[[str], Path]) -> None:
    """What nobody has taken yet is not decoded: the pipe and one buffer are all that lies between."""
    async with decode_audio(rogue("endless")) as audio:
        chunks = audio.chunks()
        await anext(chunks)
        (child,) = children()
        written = 0
        while written != (written := child.io_counters().write_chars) or child.status() == psutil.STATUS_RUNNING:
            await until(lambda: child.status() != psutil.STATUS_RUNNING)
        assert written < 2 * MIB
        await chunks.aclose()


async def test_the_time_that_the_reader_takes_is_not_the_files(rogue: Callable[[str], Path]) -> None:
    """Only waiting for the decoder counts."""
    loop = asyncio.get_running_loop()
    async with decode_audio(rogue("endless"), limits=Limits(wait_s=0.5)) as audio:
        chunks = audio.chunks()
        for _ in range(3):
            await anext(chunks)
            busy_until = loop.time() + 0.3
            await until(lambda end=busy_until: loop.time() > end)
        await chunks.aclose()


async def test_many_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A hostile file among good ones fails alone."""
    good = encoded(tmp_path / "clip.flac", "flac", "flac", tone(2.0, 16_000), 16_000)
    (tmp_path / "bad").write_bytes(b"x" * 1000)
    (tmp_path / "bomb").write_bytes(silent_flac(700, length_stated=False))
    paths = [good, tmp_path / "bad", good, tmp_path / "bomb"]
    results = await asyncio.gather(*(read_audio(each) for each in paths), return_exceptions=True)
    assert [isinstance(each, VedetteError) for each in results] == [False, True, False, True]


def _has_run(child: psutil.Process) -> bool:
    """It has said that it is ready, or is gone."""
    try:
        return bool(child.io_counters().write_bytes or child.io_counters().write_chars > 3)
    except psutil.NoSuchProcess:
        return True


async def test_the_child_knows_nothing_of_the_servers_environment(
    rogue: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials in environment variables are not the decoder's business."""
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@host/db")
    with pytest.raises(UnsupportedMedia) as caught:
        await read_audio(rogue("environment"))
    assert set(caught.value.message.split()) <= {"PYTHONPATH", "MALLOC_ARENA_MAX", "LC_CTYPE", *process.HANDED_ON}
