"""`/models`: the registry, and what of it runs."""

from __future__ import annotations

from tests.server.clients import Api
from tests.waiting import until
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
