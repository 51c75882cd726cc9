"""The film that a batch makes: every picture with its own boxes, sound at its own time, kept as an artifact."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.server.clients import Api, has_state, problem, until_async
from tests.server.test_batches import of_kind, result, seen
from tests.server.test_uploads import BOTH, play, upload
from tests.tracks.media.clips import movie, video
from tests.tracks.test_recording import Usage


async def film_of(api: Api, session_id: str) -> dict[str, Any] | None:
    page = await (await api.http.get(f"/sessions/{session_id}/artifacts", params={"kind": "film"})).json()
    return page["artifacts"][0] if page["artifacts"] else None


async def fetched(api: Api, film: dict[str, Any], path: Path) -> Path:
    data = await (await api.http.get(film["url"])).read()
    await asyncio.to_thread(path.write_bytes, data)
    return path


def drawn(frame: av.VideoFrame) -> bool:
    """Whether there is a box: colour, where the film itself has only greys."""
    chroma = frame.to_ndarray(format="yuv420p")[frame.height :].astype(int)
    return bool(np.abs(chroma - 128).max() > 40)


@pytest.mark.parametrize("rate", [0, 10])
async def test_every_picture_has_its_own_boxes(api: Api, tmp_path: Path, rate: float) -> None:
    """Also between those that are looked at; sound is where it was; browsers can begin before they have all of it."""
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=4.0))
    session, events = await result(api, source, pipelines=BOTH, record=True, rate=rate, overlay="smooth")
    film = await film_of(api, session["sessionId"])
    assert film is not None
    (told,) = [each for each in of_kind(events, "session") if each["data"].get("change")]
    assert told["data"]["change"] == {"film": film["artifactId"]}
    assert (film["mediaType"], film["width"], film["height"]) == ("video/mp4", 320, 180)
    path = await fetched(api, film, tmp_path / "film.mp4")
    assert path.stat().st_size == film["bytes"]
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        assert [stream.codec.name for stream in container.streams] == ["h264", "aac"]
        pictures = list(container.decode(video=0))
    assert [frame.time for frame in pictures] == pytest.approx([number / 25 for number in range(100)], abs=0.002)
    boxed = [drawn(frame) for frame in pictures]
    found = {each["mediaTime"]: bool(each["data"]["objects"]) for each in of_kind(events, "detection")}
    assert {at_s: boxed[round(at_s * 25)] for at_s in found} == found
    assert sum(boxed) >= 4 * 6
    assert not any(boxed[:12])
    with av.open(str(path)) as container:
        loud = [frame.time for frame in container.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.1]
    assert loud[0] == pytest.approx(0.5, abs=0.045)
    part = await api.http.get(film["url"], headers={"Range": "bytes=4-7"})
    assert (part.status, await part.read()) == (206, b"ftyp")
    assert part.headers["Content-Type"] == "video/mp4"


async def test_a_film_that_was_stopped_leaves_nothing(api: Api, detector: BrightDetector, tmp_path: Path) -> None:
    """Neither an artifact nor a file."""
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=30.0))
    session_id = await play(api, source, mode="batch", rate=0, record=True)
    await until_async(lambda: seen(api, session_id))
    assert [each.suffix for each in (tmp_path / "artifacts").iterdir() if each.suffix] == [".new"]
    assert (await api.http.delete(f"/sessions/{session_id}")).status == 204
    assert await film_of(api, session_id) is None
    assert [each for each in (tmp_path / "artifacts").iterdir() if each.suffix] == []


async def test_without_room_there_is_everything_but_the_film(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error says why there is none."""
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=1.0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000, 500, 500))
    session, events = await result(api, source, record=True, rate=0)
    assert session["reason"] == "source ended"
    assert [each["data"]["code"] for each in of_kind(events, "error")] == ["storage_full"]
    assert len(of_kind(events, "detection")) == 25
    assert await film_of(api, session["sessionId"]) is None
    assert [each for each in (tmp_path / "artifacts").iterdir() if each.suffix] == []


async def test_a_film_is_made_of_pictures(api: Api, tmp_path: Path) -> None:
    """Of those that are looked at, in a batch; one without sound has none."""
    mute = await upload(api, video(tmp_path / "mute.mp4", "mp4", "mpeg4", frames=10))
    for options in ({}, {"mode": "batch", "pipelines": ["audio"]}):
        response = await api.http.post("/sessions", json={"sourceId": mute["sourceId"], "record": True, **options})
        assert (await problem(response))[:2] == (400, "invalid_request")
    session, _ = await result(api, mute, record=True)
    film = await film_of(api, session["sessionId"])
    assert film is not None
    with av.open(str(await fetched(api, film, tmp_path / "film.mp4"))) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert len(list(container.decode(video=0))) == 10
    assert (await api.http.delete(f"/sessions/{session['sessionId']}?artifacts=true")).status == 204
    assert (await api.http.get(film["url"])).status == 404
    assert await until_async(lambda: has_state(api, session["sessionId"], "ended")) is None
