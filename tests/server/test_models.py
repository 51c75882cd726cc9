"""`/models`: the registry, what of it runs, and how both change while sessions go on."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from server.app import serve
from server.frames import MAX_AT_ONCE
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad, sound
from tests.server.clients import Api, Browser, has_state, problem, until_async
from tests.server.promises import Promises
from tests.server.test_uploads import BOTH, play, upload
from tests.tracks.media.clips import movie, wav
from tests.tracks.stills.files import encoded
from tests.waiting import until
from tracks.errors import ModelUnavailable
from tracks.registry import Registry


async def test_the_registry_and_what_runs_are_listed(api: Api) -> None:
    """Every model and profile by name; those that are loaded with why; no path of this machine."""
    await api.server.ready
    await api.server.listening
    await until(lambda: api.server.recogniser() is not None)
    response = await api.http.get("/models")
    body = await response.json()
    registry = Registry.load()
    assert {each["name"]: each["task"] for each in body["models"]} == {
        each.name: each.task for each in registry.models.values() if each.task in ("detect", "asr")
    }
    assert {each["name"] for each in body["profiles"]} == set(registry.profiles)
    people = next(each for each in body["models"] if each["name"] == "people")
    assert (people["place"], people["engine"], people["hub"]) == ("bundled", None, None)
    assert people["bytes"] > 1_000_000
    assert next(each for each in body["models"] if each["name"] == "yolo26n")["place"] == "not here"
    assert body["auto"] == {"detector": "people", "recogniser": "pocketsphinx"}
    assert [each["labels"] for each in body["detectors"]] == [["dark", "bright"]]
    assert [each["engine"] for each in body["recognisers"]] == [api.server.recogniser().engine]  # type: ignore[union-attr]
    assert str(Registry.load().bundled_detector.file) not in await response.text()


class Loads:
    """Stands in for what loads detectors: each has a number, and says no when it is told to."""

    def __init__(self) -> None:
        self.made: list[BrightDetector] = []
        self.heard: list[BeepAsr] = []
        self.fails = False
        self.falls_back = False
        self.labels = ("dark", "bright")

    def __call__(self, choice: str, *, registry: Registry, **options: Any) -> BrightDetector:
        if self.fails:
            raise ModelUnavailable("the file is broken")
        detector = BrightDetector()
        spec = registry.models.get(choice)
        name = f"{choice}-{'' if spec is None else spec.input_size}-{len(self.made)}"
        detector.info = replace(detector.info, name=name, labels=self.labels, fallback=self.falls_back)
        self.made.append(detector)
        return detector

    def recogniser(self, choice: str, **options: Any) -> BeepAsr:
        self.heard.append(BeepAsr())
        return self.heard[-1]


@pytest.fixture
async def loads() -> Loads:
    return Loads()


@asynccontextmanager
async def serving(data_dir: Path, loads: Loads, **settings: Any) -> AsyncIterator[Api]:
    served = serve(
        Settings(data_dir=data_dir, **settings),
        load=loads,
        load_asr=loads.recogniser,
        vad=LoudVad(),
    )
    async with served as server:
        promises = Promises(server.app)
        async with TestClient(TestServer(server.app)) as http:
            await server.ready
            await server.listening
            yield Api(server, http)
    assert promises.broken == []


@pytest.fixture
async def shelf(tmp_path: Path, loads: Loads, _imported: None) -> AsyncIterator[Api]:
    async with serving(tmp_path, loads) as api:
        yield api


async def running(api: Api) -> list[str]:
    body = await (await api.http.get("/models")).json()
    return [each["name"] for each in body["detectors"]]


async def test_a_session_goes_on_with_what_was_loaded_anew(shelf: Api, loads: Loads, browsers: list[Browser]) -> None:
    """At its next frame, without a gap in its tracks; the detector before is closed, and what listens listens on."""
    browser = Browser(shelf, await shelf.make_session(pipelines=["vision", "audio"]))
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.live_kinds("detection") and browser.kinds("object"))
    reply = await shelf.http.post("/models/reload")
    assert reply.status == 200
    body = await reply.json()
    assert [each["name"] for each in body["detectors"]] == await running(shelf) == ["auto--1"]
    assert body["kept"] == []
    first, second = loads.made
    await until(lambda: second.calls > 3)
    await until(lambda: first.closed)
    assert "left" not in {event["data"]["phase"] for event in browser.kinds("object")}
    assert (await (await shelf.http.get("/health")).json())["detector"]["name"] == "auto--1"


async def test_a_reload_that_cannot_be_changes_nothing(shelf: Api, loads: Loads) -> None:
    """Whether nothing can be loaded, or only something else in its place."""
    loads.fails = True
    assert (await problem(await shelf.http.post("/models/reload")))[:2] == (503, "model_unavailable")
    loads.fails, loads.falls_back = False, True
    assert (await problem(await shelf.http.post("/models/reload")))[:2] == (503, "model_unavailable")
    assert await running(shelf) == ["auto--0"]
    assert [each.closed for each in loads.made] == [False, True]


async def test_a_session_whose_classes_are_gone_keeps_its_detector(
    shelf: Api, loads: Loads, browsers: list[Browser]
) -> None:
    """It is told of, and the detector is closed with the session."""
    session_id = await shelf.make_session(classes=["bright"])
    browser = Browser(shelf, session_id)
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.live_kinds("detection"))
    loads.labels = ("cat", "dog")
    body = await (await shelf.http.post("/models/reload")).json()
    assert body["kept"] == [{"sessionId": session_id, "message": "unknown class 'bright', have: cat, dog"}]
    first, second = loads.made
    seen = first.calls
    await until(lambda: first.calls > seen + 3)
    assert not first.closed
    assert second.calls == 0
    await shelf.http.delete(f"/sessions/{session_id}")
    await until(lambda: first.closed)


async def test_a_batch_ends_with_what_it_began_with(shelf: Api, loads: Loads, tmp_path: Path) -> None:
    """All is seen and heard, piece by piece, by what was there at its beginning, which is closed then."""
    source = await upload(shelf, movie(tmp_path / "clip.mp4", seconds=40.0))
    detector, asr = loads.made[0], loads.heard[0]
    detector.gate.clear()
    asr.gate.clear()
    session_id = await play(shelf, source, mode="batch", rate=2, pipelines=BOTH)
    await until(lambda: detector.entered.is_set() and asr.entered.is_set())
    body = await (await shelf.http.post("/models/reload")).json()
    assert [each["sessionId"] for each in body["kept"]] == [session_id]
    assert not detector.closed
    detector.gate.set()
    asr.gate.set()
    await until_async(lambda: has_state(shelf, session_id, "ended"))
    assert (await shelf.session(session_id))["reason"] == "source ended"
    assert len(await shelf.events(session_id, kind="detection", limit="1000")) == 80
    assert len(await shelf.events(session_id, kind="transcript")) > 1
    assert await shelf.events(session_id, kind="error") == []
    await until(lambda: detector.closed and asr.closed)
    assert [each.calls for each in loads.made[1:]] == [0]


async def test_who_asked_before_a_reload_is_answered(shelf: Api, loads: Loads) -> None:
    """Pictures that wait for their turn, and a recording that is heard piece by piece: by what they asked."""
    detector, asr = loads.made[0], loads.heard[0]
    detector.gate.clear()
    asr.gate.clear()
    jpeg = encoded(Image.new("RGB", (64, 48)), "JPEG")
    recording = wav(sound(27.0, 0.3, 1.0, 0.3, 27.0, 0.4, 1.0))
    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(shelf.http.post("/analyze/frame", data=jpeg)) for _ in range(MAX_AT_ONCE)]
        words = group.create_task(shelf.http.post("/analyze/audio", data=io.BytesIO(recording)))
        await until(lambda: detector.entered.is_set() and asr.entered.is_set())
        under_way = f"vedette_single_frames_under_way {len(looks):.1f}"

        async def all_wait() -> bool:
            return under_way in await (await shelf.http.get("/metrics")).text()

        await until_async(all_wait)
        assert (await shelf.http.post("/models/reload")).status == 200
        detector.gate.set()
        asr.gate.set()
    assert [each.result().status for each in looks] == [200] * len(looks)
    assert (await words.result().json())["text"] == "b3 b3 b4"
    assert len(asr.calls) > 1
    await until(lambda: detector.closed)


@pytest.mark.usefixtures("_imported")
async def test_a_profile_that_is_gone_may_come_back(tmp_path: Path, loads: Loads) -> None:
    """Its sessions go on as they were until then, and with it from then on."""
    file = tmp_path / "mine.toml"
    mine = "[profiles.mine]\ndetector = 'auto'\ninput_size = 320\nconfidence = 0.5\noverlay = 'smooth'\n"
    mine += "max_rate_hz = 0\nforce_cpu = false\n"
    file.write_text(mine)
    async with serving(tmp_path / "data", loads, models=file) as api:
        session_id = await api.make_session(profile="mine")
        file.write_text("")
        body = await (await api.http.post("/models/reload")).json()
        assert [each["sessionId"] for each in body["kept"]] == [session_id]
        file.write_text(mine)
        assert (await (await api.http.post("/models/reload")).json())["kept"] == []


@pytest.mark.usefixtures("_imported")
async def test_a_model_is_added_changed_and_kept(tmp_path: Path, loads: Loads) -> None:
    """It is listed and loaded where it runs, also after a restart; what the registry says the same of is left alone."""
    door = {"task": "detect", "hub": "yolo26n.pt", "inputSize": 320, "licence": "AGPL-3.0"}
    async with serving(tmp_path, loads, detector="yolo26n") as api:
        assert (await api.http.put("/models/door", json=door)).status == 201
        assert await running(api) == ["yolo26n-640-0"]
        again = await api.http.put("/models/yolo26n", json=door)
        assert (again.status, (await again.json())["place"]) == (200, "not here")
        assert await running(api) == ["yolo26n-320-1"]
        await until(lambda: loads.made[0].closed)
        loads.fails = True
        refused = await api.http.put("/models/yolo26n", json={**door, "inputSize": 640})
        assert (await problem(refused))[:2] == (503, "model_unavailable")
        assert await running(api) == ["yolo26n-320-1"]
    loads.fails = False
    async with serving(tmp_path, loads, detector="yolo26n") as api:
        assert await running(api) == ["yolo26n-320-2"]
        names = [each["name"] for each in (await (await api.http.get("/models")).json())["models"]]
        assert {"door", "yolo26n"} <= set(names)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["registry.json"]


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("door", {"task": "detect"}, "needs either file or hub"),
        ("door", {"task": "detect", "file": "a.pt"}, "sha256 is missing"),
        ("door", {"task": "detect", "file": "../vedette.db", "sha256": "0" * 64}, "leaves the registry's folder"),
        ("door", {"task": "detect", "file": "/etc/passwd", "sha256": "0" * 64}, "file"),
        ("door", {"task": "asr", "hub": "x"}, "needs an engine"),
        ("door", {"task": "detect", "hub": "x", "colour": 1}, "colour: unknown field"),
        ("auto", {"task": "detect", "hub": "yolo26n.pt"}, "'auto' is no name for a model"),
        ("-door", {"task": "detect", "hub": "yolo26n.pt"}, "'-door' is no name for a model"),
    ],
)
async def test_a_model_that_cannot_be_is_refused(
    shelf: Api, tmp_path: Path, name: str, body: dict[str, Any], says: str
) -> None:
    """By name and reason, without a path of this machine; nothing of it stays."""
    response = await shelf.http.put(f"/models/{name}", json=body)
    status, code, message = await problem(response)
    assert (status, code) == (400, "invalid_request")
    assert says in message
    assert str(tmp_path) not in message
    assert not list((tmp_path / "models").glob("*.json"))


@pytest.mark.usefixtures("_imported")
async def test_a_registry_that_was_broken_meanwhile_changes_nothing(tmp_path: Path, loads: Loads) -> None:
    """The operator's file is read again; until it is right, what runs goes on."""
    file = tmp_path / "mine.toml"
    file.write_text("")
    async with serving(tmp_path / "data", loads, models=file) as api:
        file.write_text("[models.x]\ntask = 'smell'\n")
        assert (await problem(await api.http.post("/models/reload")))[:2] == (400, "invalid_request")
        assert await running(api) == ["auto--0"]
        file.write_text("[models.x]\ntask = 'detect'\nhub = 'yolo26s.pt'\n")
        assert (await api.http.post("/models/reload")).status == 200
        names = [each["name"] for each in (await (await api.http.get("/models")).json())["models"]]
        assert "x" in names
