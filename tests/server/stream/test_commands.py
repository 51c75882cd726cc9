"""Changing a session while it runs: by command over the socket, and by PATCH."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.server.clients import problem
from tests.server.stream.client import Stream, jpeg
from tests.server.stream.conftest import Connect, Place
from tests.waiting import until
from tracks.types import Detections


async def film(it: Stream, first: float, count: int, x: int = 100) -> None:
    """Send pictures of something that moves, each after the outcome of the one before."""
    for number in range(count):
        ts = first + number / 15
        await it.image(ts, jpeg(x + 4 * number))
        await until(lambda ts=ts: ts in it.outcomes())  # type: ignore[misc]


async def test_set_takes_effect_at_the_next_frame_and_is_told(place: Place, client: Connect) -> None:
    """The reply says what is in force; a `session` event what changed; the row has it."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    await film(it, 0.0, 2)
    reply = await it.command("set", classes=["dark"], overlay="smooth")
    assert reply["result"] == {
        "profile": "accurate",
        "overlay": "smooth",
        "classes": ["dark"],
        "kinds": None,
        "annotated": "none",
    }
    await film(it, 1.0, 2)
    assert [len(each["data"]["objects"]) for each in it.kinds("detection")][-1] == 0
    await until(lambda: [each for each in it.kinds("session") if "change" in each["data"]])
    (change,) = [each["data"]["change"] for each in it.kinds("session") if "change" in each["data"]]
    assert change == {"overlay": "smooth", "classes": ["dark"]}
    assert (await place.session(session_id))["classes"] == ["dark"]
    assert (await it.command("set", classes=None))["result"]["classes"] is None


async def test_set_of_kinds_and_pictures_is_the_connections_own(client: Connect) -> None:
    """Others get what they got before."""
    it, other = await client(), await client()
    session_id = (await it.start())["sessionId"]
    await other.ask(type="attach", id="a", sessionId=session_id)
    reply = await it.command("set", kinds=["detection"], annotated="binary")
    assert (reply["result"]["kinds"], reply["result"]["annotated"]) == (["detection"], "binary")
    await until(lambda: other.kinds("metric"))
    await film(it, 0.0, 8)
    await until(lambda: it.binary and other.kinds("object"))
    assert {each["kind"] for each in it.messages[-4:] if "kind" in each} == {"detection"}
    assert not it.kinds("object")
    assert not other.binary


class Swapped(BrightDetector):
    """Another model: the same labels in another place, and one more."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "info", self.info.__class__("swapped", "numpy", "cpu", "fp32", "", "", LABELS, "x"))

    def detect(self, images: Any) -> list[Detections]:
        found = super().detect(images)
        return [Detections(each.xyxy, each.confidence, np.full(len(each), 2, np.int32)) for each in found]


LABELS = ("cat", "dark", "bright")


async def test_another_model_keeps_the_tracks_whose_label_it_knows(
    place: Place, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same number, same label, though the label has another place in the new model's list."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    await film(it, 0.0, 8)
    monkeypatch.setattr("tests.server.stream.conftest.BrightDetector", Swapped)
    response = await place.http.patch(f"/sessions/{session_id}", json={"profile": "cpu-only"})
    assert response.status == 200, await response.text()
    body = await response.json()
    assert (body["profile"], body["overlay"]) == ("cpu-only", "smooth")
    await film(it, 8 / 15, 6, x=132)
    assert len(place.detectors) == 2
    seen = [each["data"]["objects"][0] for each in it.kinds("detection")]
    assert {(each["trackId"], each["label"]) for each in seen} == {(1, "bright")}
    assert [each["data"]["phase"] for each in it.kinds("object")] == ["entered"]


@pytest.mark.parametrize("how", ["command", "patch"])
async def test_while_paused_nothing_is_looked_at(place: Place, client: Connect, how: str) -> None:
    """Frames still come and are told as dropped; then it goes on with the same session."""
    it = await client()
    session_id = (await it.start(annotated="json"))["sessionId"]

    async def pause(paused: bool) -> str:
        if how == "command":
            return str((await it.command("pause" if paused else "resume"))["result"]["state"])
        response = await place.http.patch(f"/sessions/{session_id}", json={"paused": paused})
        return str((await response.json())["state"])

    await film(it, 0.0, 2)
    assert await pause(True) == "paused"
    calls = place.detector.calls
    await film(it, 1.0, 2)
    assert it.outcomes()[1.0] == ["dropped"]
    assert place.detector.calls == calls
    await until(lambda: [each for each in it.types("frame") if each["ts"] >= 1.0])
    assert (await place.session(session_id))["state"] == "paused"
    assert await pause(False) == "live"
    await film(it, 2.0, 2)
    assert it.outcomes()[2.0] == ["detection"]
    states = [each["data"]["state"] for each in it.kinds("session")]
    assert states == ["connecting", "live", "paused", "live"]


async def test_a_snapshot_is_an_artifact(place: Place, client: Connect) -> None:
    """The reply says where it is; before the first picture there is a conflict."""
    it = await client()
    await it.start()
    assert (await it.command("snapshot"))["error"]["code"] == "conflict"
    await film(it, 0.0, 1)
    result = (await it.command("snapshot", annotated=False))["result"]
    picture = await place.http.get(result["url"])
    assert picture.content_type == "image/jpeg"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ({"profile": "ludicrous"}, "invalid_request", "have: accurate"),
        ({"classes": ["persn"]}, "invalid_request", "unknown class 'persn', have: dark, bright"),
        ({"overlay": "none"}, "invalid_request", "overlay"),
        ({"colour": "red"}, "invalid_request", "colour"),
        ({"kinds": ["gossip"]}, "invalid_request", "unknown kind 'gossip'"),
        ({"annotated": "yes"}, "invalid_request", "annotated"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    client: Connect, args: dict[str, Any], code: str, says: str
) -> None:
    """A failed command is no fault of the connection."""
    it = await client()
    await it.start()
    reply = await it.command("set", **args)
    assert (reply["ok"], reply["error"]["code"]) == (False, code)
    assert says in reply["error"]["message"]
    assert (await it.command("set_profile", profile="accurate"))["result"]["classes"] is None


async def test_patch_refuses_what_is_not_there(place: Place, client: Connect) -> None:
    """An unknown session, one that has ended, one that does not look."""
    it = await client()
    ears = (await it.start(pipelines=["audio"]))["sessionId"]
    response = await place.http.patch(f"/sessions/{ears}", json={"overlay": "exact"})
    assert (await problem(response))[:2] == (400, "invalid_request")
    await place.http.delete(f"/sessions/{ears}")
    response = await place.http.patch(f"/sessions/{ears}", json={"paused": True})
    assert (await problem(response))[:2] == (409, "conflict")
    nowhere = "019a0000-0000-7000-8000-000000000000"
    assert (await problem(await place.http.patch(f"/sessions/{nowhere}", json={})))[:2] == (404, "not_found")


async def test_commands_need_a_session(client: Connect) -> None:
    """Before it there is none to command."""
    it = await client()
    assert (await it.command("pause"))["error"]["code"] == "invalid_request"
