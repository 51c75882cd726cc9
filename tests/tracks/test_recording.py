"""Films that are written: whole, in time, in either format, and never more than the disk has room for."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from tests.tracks.media.clips import flash
from tests.tracks.media.test_film import is_bright
from tracks.errors import StorageFull, VedetteError
from tracks.recording import MP4, WEBM, Format, Recorder

SIZE = (320, 180)
SECOND = 48_000


class Usage(NamedTuple):
    """As `shutil.disk_usage` gives it."""

    total: int
    used: int
    free: int


def picture(number: int, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """One of 25 a second, bright from the second second on."""
    frame = flash(number >= 25, size)
    frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
    return frame


def beep(seconds: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    at = np.arange(round(seconds * SECOND)) / SECOND
    return np.repeat((10_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)[:, None], 2, 1)


@pytest.mark.parametrize("form", [MP4, WEBM], ids=lambda form: form.container)
async def test_what_was_recorded_is_found_again(tmp_path: Path, form: Format) -> None:
    """Every picture at its time, and sound at its own: what lies between two sounds is silent."""
    recorder = Recorder(tmp_path / "film", SIZE, sound=True, format=form)
    for number in range(50):
        await recorder.picture(picture(number))
        if number == 25:
            await recorder.sound(1.0, beep(0.5))
    await recorder.finish()
    await recorder.close()
    with av.open(str(tmp_path / "film")) as film:
        pictures = list(film.decode(video=0))
    assert [frame.time for frame in pictures] == pytest.approx([number / 25 for number in range(50)], abs=0.002)
    assert [is_bright(frame) for frame in pictures] == [False] * 25 + [True] * 25
    with av.open(str(tmp_path / "film")) as film:
        sound = [(frame.time, np.abs(frame.to_ndarray()).max()) for frame in film.decode(audio=0)]
    loud = [at_s for at_s, loudness in sound if at_s is not None and loudness > 0.05]
    assert loud[0] == pytest.approx(1.0, abs=0.045)
    assert loud[-1] == pytest.approx(1.5, abs=0.045)


async def test_the_index_comes_first(tmp_path: Path) -> None:
    """A browser can begin to play an MP4 before it has all of it."""
    recorder = Recorder(tmp_path / "film", SIZE, sound=False, format=MP4)
    await recorder.picture(picture(0))
    await recorder.finish()
    await recorder.close()
    data = (tmp_path / "film").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


async def test_pictures_that_change_their_size_are_scaled(tmp_path: Path) -> None:
    """A film has one size."""
    recorder = Recorder(tmp_path / "film", SIZE, sound=False)
    await recorder.picture(picture(0))
    await recorder.picture(picture(30, (640, 360)))
    await recorder.finish()
    await recorder.close()
    with av.open(str(tmp_path / "film")) as film:
        first, second = film.decode(video=0)
    assert (second.width, second.height) == SIZE
    assert not is_bright(first)
    assert is_bright(second)


async def test_a_film_is_not_written_into_the_last_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is less room than is to be left, it is given up with the reason."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000, 500, 500))
    recorder = Recorder(tmp_path / "film", SIZE, sound=False, room_bytes=501)
    await recorder.picture(picture(0))
    with pytest.raises(StorageFull, match="no room on the disk"):
        await recorder.picture(picture(1))
    await recorder.close()


async def test_what_cannot_be_written_is_told_to_whoever_records(tmp_path: Path) -> None:
    """With the reason, and without the path."""
    recorder = Recorder(tmp_path / "nowhere" / "film", SIZE, sound=False)
    await recorder.picture(picture(0))
    with pytest.raises(VedetteError, match="cannot be written: No such file") as caught:
        await recorder.finish()
    assert str(tmp_path) not in caught.value.message
    await recorder.close()


async def test_a_film_may_be_given_up(tmp_path: Path) -> None:
    """At any time, and its thread ends."""
    for pictures in (0, 1, 5):
        recorder = Recorder(tmp_path / "film", SIZE, sound=True)
        for number in range(pictures):
            await recorder.picture(picture(number))
        await recorder.close()
        await recorder.close()
