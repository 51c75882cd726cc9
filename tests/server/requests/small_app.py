"""A small application inside the middlewares, with routes that answer, fail and break in the usual ways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiohttp import web
from aiohttp.test_utils import TestClient

from server.middleware import add_middlewares, read_json
from server.origin import AccessPolicy
from tracks.errors import NotFound, Overloaded
from tracks.events.envelope import Model

LOOPBACK = AccessPolicy("127.0.0.1")
CONSOLE = "http://localhost:3000"

Client = TestClient[web.Request, web.Application]
Serve = Callable[[AccessPolicy], Awaitable[Client]]


class Order(Model):
    """A body with a choice, an optional number and a nested object."""

    class Item(Model):
        """Nested."""

        size: int

    profile: Literal["fast", "accurate"]
    source_id: str | None = None
    items: tuple[Item, ...] = ()
    ratio: float = 1.0


async def take_order(request: web.Request) -> web.Response:
    order = await read_json(request, Order)
    return web.json_response(order.wire(), status=201)


async def missing(request: web.Request) -> web.Response:
    raise NotFound(f"no session {request.match_info['session_id']!r}")


async def crash(request: web.Request) -> web.Response:
    raise RuntimeError("secret detail of rtsp://admin:hunter2@10.0.0.9/live")


async def overloaded(request: web.Request) -> web.Response:
    raise Overloaded("too many sessions", {"retryAfter": 2.5})


async def misbuilt(request: web.Request) -> web.Response:
    return web.json_response(Order.model_validate({"profile": request.query["profile"]}).wire())


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPFound("/items")


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"first")
    raise RuntimeError("in the middle")


async def echo_socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def raw_body(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


def application(policy: AccessPolicy = LOOPBACK) -> web.Application:
    app = web.Application()
    add_middlewares(app, policy)
    app.router.add_post("/items", take_order)
    app.router.add_get("/sessions/{session_id}", missing)
    app.router.add_get("/crash", crash)
    app.router.add_get("/overloaded", overloaded)
    app.router.add_get("/misbuilt", misbuilt)
    app.router.add_get("/moved", moved)
    app.router.add_get("/half", half)
    app.router.add_get("/socket", echo_socket)
    app.router.add_post("/raw", raw_body)
    return app


async def error_of(response: Any) -> dict[str, Any]:
    """The error in an answer, which is in the envelope."""
    body = await response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) <= {"code", "message", "details"}
    error: dict[str, Any] = body["error"]
    return error
