"""The OpenAPI document: valid, complete, and true to the models."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.api import JsonBody, Route, declared
from server.api.document import document
from server.api.failure import MEANINGS
from server.api.tags import TAGS
from tests.server.clients import Api
from tracks.errors import CODES
from tracks.events import KINDS, Event, SessionData
from tracks.events.wire import AnyEvent


@pytest.fixture
async def routes(api: Api) -> list[Route]:
    return list(dict.fromkeys(route for route in declared(api.server.app).values() if not route.hidden))


@pytest.fixture
async def contract(api: Api) -> dict[str, Any]:
    response = await api.http.get("/openapi.json")
    assert response.content_type == "application/json"
    found: dict[str, Any] = await response.json()
    return found


def operations(contract: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, operations in contract["paths"].items()
        for method, operation in operations.items()
    }


async def test_it_is_openapi_3_1(contract: dict[str, Any]) -> None:
    """The published schema of OpenAPI 3.1 takes it, with every reference in it."""
    assert contract["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract).validate()


async def test_every_route_is_in_it(contract: dict[str, Any], routes: list[Route]) -> None:
    """What the server answers and what the document says are the same set of calls."""
    assert set(operations(contract)) == {(route.method, route.plain_path) for route in routes}
    ids = [operation["operationId"] for operation in operations(contract).values()]
    assert len(set(ids)) == len(ids)


async def test_every_operation_has_its_errors(contract: dict[str, Any], routes: list[Route]) -> None:
    """Each code of a route is at its status, with what it means and an example of the envelope."""
    known = operations(contract)
    for route in routes:
        responses = known[route.method, route.plain_path]["responses"]
        for code in route.codes:
            answer = responses[str(CODES[code])]
            assert f"`{code}`" in answer["description"]
            media = answer["content"]["application/json"]
            assert route.failure is not None or f"#/components/examples/{code}" == media["examples"][code]["$ref"]
    assert set(contract["components"]["examples"]) == set(CODES) == set(MEANINGS)


async def test_every_operation_says_who_may_use_it(contract: dict[str, Any], routes: list[Route]) -> None:
    """With a token or a cookie, unless it is for everybody."""
    known = operations(contract)
    for route in routes:
        operation = known[route.method, route.plain_path]
        assert operation["security"] == ([] if route.role is None else [{"bearer": []}, {"cookie": []}])
        assert operation["x-role"] == (None if route.role is None else route.role.word)
        assert operation["tags"] == [route.tag]
        assert route.tag in TAGS


async def test_every_model_has_an_example_that_it_takes(contract: dict[str, Any], routes: list[Route]) -> None:
    """Of every body and every answer in JSON, and each is valid."""
    models = {route.body.model for route in routes if isinstance(route.body, JsonBody)}
    models |= {answer.model for route in routes for answer in route.answers if answer.model is not None}
    without = []
    for model in models:
        schema = contract["components"]["schemas"][model.__name__]
        for example in schema.get("examples", ()):
            model.model_validate(example)
        if not schema.get("examples"):
            without.append(model.__name__)
    assert without == []


async def test_every_kind_of_event_is_a_component(contract: dict[str, Any]) -> None:
    """By its name, and `kind` tells which it is."""
    schemas = contract["components"]["schemas"]
    mapping = schemas["AnyEvent"]["discriminator"]["mapping"]
    assert set(mapping) == set(KINDS)
    for kind, data in KINDS.items():
        name = mapping[kind].rpartition("/")[2]
        assert schemas[name]["properties"]["kind"]["const"] == kind
        assert schemas[name]["properties"]["data"]["$ref"].endswith(f"/{data.__name__}")


def test_an_event_is_described_as_it_is_on_the_wire() -> None:
    """The models of the document take what `Event.wire` writes, and nothing else."""
    event = Event(
        id="i",
        seq=1,
        kind="session",
        session_id="s",
        source_id="c",
        at=1.0,
        media_time=None,
        data=SessionData(state="live"),
    )
    AnyEvent.model_validate(event.wire())
    for wrong in ({**event.wire(), "kind": "object"}, {**event.wire(), "more": 1}):
        with pytest.raises(ValueError, match="validation error"):
            AnyEvent.model_validate(wrong)


async def test_only_what_clients_send_is_closed(contract: dict[str, Any]) -> None:
    """A later version may answer more, but unknown fields of a body are refused."""
    schemas = contract["components"]["schemas"]
    assert schemas["NewSession"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["SessionInfo"]


async def test_parameters_are_as_they_are_checked(contract: dict[str, Any]) -> None:
    """Names on the wire, with defaults and bounds, and none can be null."""
    found = {each["name"]: each for each in operations(contract)["GET", "/sessions/{sessionId}/events"]["parameters"]}
    assert found["sessionId"]["in"] == "path"
    assert found["limit"]["schema"] == {"default": 100, "maximum": 1000, "minimum": 1, "type": "integer"}
    assert found["kind"]["schema"] == {"type": "array", "items": {"type": "string", "enum": [*KINDS]}}
    assert found["since"]["schema"]["type"] == "number"
    assert all("null" not in str(each["schema"]) for each in found.values())


async def test_it_is_sent_once(api: Api) -> None:
    """Whoever has it already is told so."""
    first = await api.http.get("/openapi.json")
    again = await api.http.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    assert await again.read() == b""


def test_a_hidden_route_is_left_out(routes: list[Route]) -> None:
    """Pages for people are no calls."""

    async def page(request: Any) -> Any: ...

    hidden = Route("GET", "/page", page, "A page", "sources", None, (), hidden=True)
    assert "/page" not in document([*routes, hidden], "1")["paths"]
