"""Declared routes: what is sent is validated before the handler, and every request's role can be told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.api import Answer, JsonBody, Route, declare, declared, given, reply, role_of
from server.api.query import Flag, Limit
from server.middleware import add_middlewares
from server.origin import AccessPolicy
from server.roles import Role
from tests.server.clients import Api, problem
from tracks.events import Model

Client = TestClient[web.Request, web.Application]


class Wish(Model):
    """A body."""

    colour: str = "red"


class Choice(Model):
    """A query."""

    limit: Limit = 100
    fresh: Flag = False
    tag: list[str] | None = None


class Seen(Model):
    """What the handler got."""

    limit: int
    fresh: bool
    tag: list[str] | None
    colour: str


async def wish(request: web.Request) -> web.Response:
    query = given(request, Choice)
    return reply(Seen(limit=query.limit, fresh=query.fresh, tag=query.tag, colour=given(request, Wish).colour), 201)


async def silent(request: web.Request) -> web.Response:
    return web.Response()


async def careless(request: web.Request) -> web.Response:
    given(request, Wish)
    return web.Response()


def route(method: str, path: str, handler: Any = silent, role: Role | None = Role.VIEWER, **more: Any) -> Route:
    return Route(method, path, handler, "Do it", "things", role, (Answer(200, "Done."),), **more)


@pytest.fixture
async def roles() -> list[Role | None]:
    return []


@pytest.fixture
async def client(roles: list[Role | None]) -> AsyncIterator[Client]:
    """A server that notes the role of every request."""

    @web.middleware
    async def note(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
        roles.append(role_of(request))
        return await handler(request)

    app = web.Application()
    add_middlewares(app, AccessPolicy("127.0.0.1"))
    app.middlewares.append(note)
    declare(
        app,
        route("POST", "/wishes", wish, Role.OPERATOR, query=Choice, body=JsonBody(Wish)),
        route("POST", "/hopes", wish, Role.OPERATOR, query=Choice, body=JsonBody(Wish, optional=True)),
        route("GET", "/open", silent, None, query=None),
        route("GET", "/things/{thing_id}"),
        route("GET", "/careless", careless),
    )
    app.router.add_get("/forgotten", silent)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_handler_gets_body_and_query_as_models(client: Client) -> None:
    """Numbers, flags and repeated parameters are what their fields say."""
    response = await client.post("/wishes?limit=7&fresh=true&tag=a&tag=b", json={"colour": "blue"})
    assert response.status == 201
    assert await response.json() == {"limit": 7, "fresh": True, "tag": ["a", "b"], "colour": "blue"}


async def test_a_body_that_may_be_left_out_has_defaults(client: Client) -> None:
    """Nothing at all is the model's defaults, but something is still checked."""
    assert (await (await client.post("/hopes")).json())["colour"] == "red"
    assert (await problem(await client.post("/hopes", json={"size": 1})))[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    ("url", "body", "says"),
    [
        ("/wishes?colour=red", {}, "unknown parameter 'colour', have: fresh, limit, tag"),
        ("/wishes?limit=1&limit=2", {}, "limit was given 2 times"),
        ("/wishes?limit=1001", {}, "limit"),
        ("/wishes?limit=many", {}, "limit"),
        ("/wishes?fresh=yes", {}, "fresh: expected true or false, got 'yes'"),
        ("/wishes", {"colour": 1}, "colour"),
        ("/wishes", {"size": 1}, "size: unknown field, have: colour"),
    ],
)
async def test_what_is_wrong_is_named(client: Client, url: str, body: Any, says: str) -> None:
    """Wrong bodies and queries are refused before the handler sees them, each by its name."""
    status, code, message = await problem(await client.post(url, json=body))
    assert (status, code) == (400, "invalid_request")
    assert says in message


async def test_a_route_without_parameters_takes_none(client: Client) -> None:
    """Unless it does not look at its query."""
    assert (await problem(await client.get("/things/1?x=1")))[2] == "unknown parameter 'x', have: none"
    assert (await client.get("/open?x=1")).status == 200


async def test_the_role_of_a_request_is_that_of_its_route(client: Client, roles: list[Role | None]) -> None:
    """HEAD is as GET; the router's own answers are for everybody."""
    await client.post("/wishes", json={})
    await client.get("/things/1")
    await client.head("/things/1")
    await client.get("/open")
    assert (await client.get("/nowhere")).status == 404
    assert (await client.delete("/wishes")).status == 405
    assert roles == [Role.OPERATOR, Role.VIEWER, Role.VIEWER, None, None, None]


async def test_a_route_that_is_not_declared_is_not_served(client: Client, roles: list[Role | None]) -> None:
    """Nobody can say who may use it."""
    assert (await problem(await client.get("/forgotten")))[:2] == (500, "internal")
    assert roles == []


async def test_a_handler_gets_only_what_its_route_declares(client: Client) -> None:
    """A model that was not declared was not validated."""
    assert (await problem(await client.get("/careless")))[:2] == (500, "internal")


async def test_every_route_of_the_server_is_declared(api: Api) -> None:
    """A new route without a role fails here; what is left out of the document are pages, and what WHIP says itself."""
    on_router = list(api.server.app.router.routes())
    known = declared(api.server.app)
    assert [each for each in on_router if each not in known] == []
    assert set(known) == set(on_router)
    hidden = {each.path for each in known.values() if each.hidden and each.tag != "whip"}
    assert hidden == {"/{page}", "/docs", "/docs/page.css", "/docs/page.js", "/docs/schema.js"}
    assert {each.method for each in known.values() if each.hidden and each.tag == "whip"} == {"OPTIONS", "GET"}


def test_the_codes_of_a_route_follow_from_what_it_takes() -> None:
    """Whatever stands around a handler may refuse, too."""
    plain = route("GET", "/x", role=None, query=None)
    assert plain.codes == ("invalid_request", "forbidden", "internal")
    full = route("POST", "/x/{y}", body=JsonBody(Wish), errors=("conflict",))
    assert set(full.codes) == {
        "invalid_request",
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "payload_too_large",
        "unsupported_media",
        "rate_limited",
        "internal",
    }
