"""Files worked through as fast as the machine can: nothing is left out, and the session ends by itself."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.batches import MAX_BATCHES
from tests.children import decoders
from tests.fakes import BrightDetector
from tests.server.clients import Api, has_state, problem, until_async
from tests.server.stream.client import connect
from tests.server.test_uploads import BOTH, form, play, upload
from tests.tracks.media.clips import movie, video

VARYING = frozenset({"inferenceMs", "thumbnail"})


async def result(api: Api, source: Mapping[str, Any], **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The session of a batch once it has ended, and its events."""
    session_id = await play(api, dict(source), mode="batch", **options)
    await until_async(lambda: has_state(api, session_id, "ended"))
    events: list[dict[str, Any]] = []
    while len(page := await api.events(session_id, limit="1000", after=str(len(events)))) == 1000:
        events += page
    return await api.session(session_id), [*events, *page]


async def told_its_end(api: Api, session_id: str) -> bool:
    return bool((await api.events(session_id, kind="session"))[-1]["data"]["state"] == "ended")


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in events if each["kind"] == kind]


@pytest.mark.parametrize(("rate", "times"), [(0, [n / 25 for n in range(100)]), (10, None), (None, None)])
async def test_every_wanted_picture_is_detected(
    api: Api, tmp_path: Path, rate: float | None, times: list[float] | None
) -> None:
    """All of them, or as many as the rate and the duration make; without a word, as many as the profile says."""
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=4.0))
    session, events = await result(api, source, **({} if rate is None else {"rate": rate}))
    assert (session["mode"], session["state"], session["reason"]) == ("batch", "ended", "source ended")
    seen = [each["mediaTime"] for each in of_kind(events, "detection")]
    assert len(seen) == {0: 100, 10: 40, None: 60}[rate]
    assert times is None or seen == pytest.approx(times, abs=0.001)
    assert all(after - before < 0.15 for before, after in itertools.pairwise(seen))
    flashes = [each["mediaTime"] % 1 for each in of_kind(events, "detection") if each["data"]["objects"]]
    assert min(flashes) == pytest.approx(0.5, abs=0.11)
    assert max(flashes) < 0.8
    await until_async(lambda: told_its_end(api, session["sessionId"]))
    (*_, last) = await api.events(session["sessionId"], kind="session")
    assert last["mediaTime"] == pytest.approx(4.0, abs=0.03)


async def test_what_is_said_is_what_a_recording_of_it_says(api: Api, tmp_path: Path) -> None:
    """Word for word, as `/analyze/audio` hears the same file."""
    path = movie(tmp_path / "clip.mp4", seconds=6.0, every_s=2.0)
    response = await api.http.post("/analyze/audio", data=path.read_bytes(), headers={"Content-Type": "audio/mp4"})
    heard = await response.json()
    session, events = await result(api, await upload(api, path), pipelines=BOTH)
    said = await (await api.http.get(f"/sessions/{session['sessionId']}/transcript")).json()
    assert len(heard["words"]) == 3
    assert said["text"] == heard["text"]
    words = [(word["text"], word["start"], word["end"]) for each in said["segments"] for word in each["words"]]
    assert words == [(word["text"], word["start"], word["end"]) for word in heard["words"]]
    assert len(of_kind(events, "detection")) == 90


async def test_two_runs_tell_the_same(api: Api, tmp_path: Path) -> None:
    """Of each kind the same events in the same order, whatever else the machine does."""
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=3.0, every_s=0.3))

    async def told() -> dict[str, list[Any]]:
        _, events = await result(api, source, pipelines=BOTH, rate=0)
        return {
            kind: [
                (each["mediaTime"], {name: value for name, value in each["data"].items() if name not in VARYING})
                for each in of_kind(events, kind)
            ]
            for kind in ("detection", "object", "transcript")
        }

    first = await told()
    assert {kind: len(found) > 0 for kind, found in first.items()} == dict.fromkeys(first, True)
    assert await told() == first


async def test_a_slow_detector_is_waited_for(api: Api, detector: BrightDetector, tmp_path: Path) -> None:
    """Nothing is dropped for it, and how far it is can be seen."""
    detector.gate.clear()
    session_id = await play(api, await upload(api, movie(tmp_path / "clip.mp4", seconds=4.0)), mode="batch", rate=0)
    await until_async(lambda: has_state(api, session_id, "live"))
    told = (await api.session(session_id))["progress"]
    assert (told["framesDetected"], told["duration"]) == (0, pytest.approx(4.0, abs=0.03))
    watcher = await connect(api.http)
    await watcher.ask(type="attach", id="a", sessionId=session_id, kinds=["progress"])
    detector.gate.set()
    await until_async(lambda: has_state(api, session_id, "ended"))
    progress = [each for each in watcher.messages if each.get("kind") == "progress"]
    await watcher.close()
    assert all(each["seq"] is None for each in progress)
    last = progress[-1]["data"]
    assert last.pop("speed") > 0
    whole = pytest.approx(4.0, abs=0.03)
    assert last == {"share": 1, "duration": whole, "watched": whole, "heard": None, "framesDetected": 100}
    assert len(await api.events(session_id, kind="detection", limit="1000")) == 100
    assert (await api.session(session_id))["progress"] is None


async def test_it_can_be_stopped(api: Api, detector: BrightDetector, tmp_path: Path) -> None:
    """What was found stays, and its decoders end."""
    session_id = await play(
        api, await upload(api, movie(tmp_path / "clip.mp4", seconds=30.0)), pipelines=BOTH, mode="batch", rate=0
    )
    await until_async(lambda: seen(api, session_id))
    detector.gate.clear()
    removing = api.http.delete(f"/sessions/{session_id}")
    assert (await removing).status == 204
    detector.gate.set()
    session = await api.session(session_id)
    assert (session["state"], session["reason"]) == ("ended", "stopped by a client")
    assert 0 < len(await api.events(session_id, kind="detection", limit="1000")) < 750
    assert decoders() == []


async def seen(api: Api, session_id: str) -> bool:
    return bool(await api.events(session_id, kind="detection", limit="1"))


async def test_a_decoder_that_dies_keeps_what_it_gave(api: Api, detector: BrightDetector, tmp_path: Path) -> None:
    """The reason is an `error` event with its code, and the session's; what was said is heard to its end."""
    session_id = await play(api, await upload(api, movie(tmp_path / "clip.mp4", seconds=30.0)), mode="batch", rate=0)
    await until_async(lambda: seen(api, session_id))
    decoders()[-1].kill()
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"].startswith("source failed: the system has killed the decoder")
    events = await api.events(session_id, limit="1000")
    assert [each["data"]["code"] for each in of_kind(events, "error")] == ["overloaded"]
    assert of_kind(events, "detection")


async def test_what_is_damaged_is_told_and_left_out(api: Api, tmp_path: Path) -> None:
    """A file that is spoilt in its middle: an error says so, and what is before and behind is there."""
    data = bytearray(movie(tmp_path / "clip.mp4", seconds=6.0).read_bytes())
    third, half = len(data) // 3, len(data) // 2
    data[third:half] = random.Random(1).randbytes(half - third)
    response = await api.http.post("/sources", data=form(bytes(data)))
    assert response.status == 201, await response.text()
    session, events = await result(api, await response.json(), pipelines=BOTH, rate=0)
    assert session["reason"] == "source ended"
    errors = {each["data"]["message"] for each in of_kind(events, "error")}
    assert {message.partition(" pieces of its ")[2].partition(" ")[0] for message in errors} == {"picture", "sound"}
    assert {each["data"]["code"] for each in of_kind(events, "error")} == {"unsupported_media"}
    times = [each["mediaTime"] for each in of_kind(events, "detection")]
    assert (times[0], times[-1]) == (0, pytest.approx(5.96, abs=0.01))
    assert len(times) < 150


async def test_only_uploads_are_worked_through(api: Api, tmp_path: Path) -> None:
    """And only in the ways that there are."""
    source = await (await api.http.post("/sources", json={"kind": "demo"})).json()
    response = await api.http.post("/sessions", json={"sourceId": source["sourceId"], "mode": "batch"})
    assert await problem(response) == (
        400,
        "invalid_request",
        "mode 'batch' is for uploads, a source of kind 'demo' has: realtime",
    )
    mute = await upload(api, video(tmp_path / "mute.mp4", "mp4", "mpeg4", frames=5))
    for options, message in (
        ({"mode": "batch", "pipelines": BOTH}, "nothing for pipeline 'audio'"),
        ({"mode": "slow"}, "mode"),
        ({"rate": 5}, "rate goes with mode 'batch'"),
        ({"mode": "batch", "rate": -1}, "rate"),
    ):
        response = await api.http.post("/sessions", json={"sourceId": mute["sourceId"], **options})
        found = await problem(response)
        assert found[:2] == (400, "invalid_request")
        assert message in found[2]


async def test_it_does_what_it_was_asked_to(api: Api, detector: BrightDetector, tmp_path: Path) -> None:
    """What is in force for the beginning of a file is so for its end: changes are refused. So is one batch too many."""
    detector.gate.clear()
    source = await upload(api, movie(tmp_path / "clip.mp4", seconds=1.0))
    running = [await play(api, source, mode="batch") for _ in range(MAX_BATCHES)]
    response = await api.http.post("/sessions", json={"sourceId": source["sourceId"], "mode": "batch"})
    assert (await problem(response))[:2] == (503, "overloaded")
    for change in ({"profile": "accurate"}, {"paused": True}):
        response = await api.http.patch(f"/sessions/{running[0]}", json=change)
        assert (await problem(response))[:2] == (409, "conflict")
    detector.gate.set()
    for session_id in running:
        await until_async(lambda session_id=session_id: has_state(api, session_id, "ended"))
