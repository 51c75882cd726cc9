"""What surrounds every request: ids, the error envelope, Host and Origin, CORS, headers, JSON bodies, slow clients."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer

from server import middleware
from server.logs import configure
from server.middleware import add_middlewares, read_json, runner_options
from server.origin import AccessPolicy
from tracks.errors import NotFound, Overloaded
from tracks.events.envelope import Model

LOOPBACK = AccessPolicy("127.0.0.1")
CONSOLE = "http://localhost:3000"

Client = TestClient[web.Request, web.Application]


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


Serve = Callable[[AccessPolicy], Awaitable[Client]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    clients: list[Client] = []

    async def start(policy: AccessPolicy) -> Client:
        client: Client = TestClient(TestServer(application(policy)))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve(LOOPBACK)


async def error_of(response: Any) -> dict[str, Any]:
    body = await response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) <= {"code", "message", "details"}
    error: dict[str, Any] = body["error"]
    return error


# Request ids


async def test_every_answer_has_a_request_id(client: Client) -> None:
    """Answers, errors and the router's own 404 carry a UUIDv7 when the client gave no id."""
    for path in ("/crash", "/sessions/x", "/nowhere"):
        response = await client.get(path)
        request_id = response.headers["X-Request-Id"]
        assert len(request_id) == 36, path
        assert request_id[14] == "7", path


async def test_a_sane_request_id_is_kept_and_another_is_not(client: Client) -> None:
    """The client's id comes back, unless it could not be put in a log as it is."""
    kept = await client.get("/nowhere", headers={"X-Request-Id": "job-42.a:b_c"})
    assert kept.headers["X-Request-Id"] == "job-42.a:b_c"
    for strange in ("two words", "x" * 129, "é", '"'):
        response = await client.get("/nowhere", headers={"X-Request-Id": strange})
        assert response.headers["X-Request-Id"] != strange


async def test_request_and_trace_ids_are_in_the_log(client: Client) -> None:
    """Records made while a request is handled know its id, its traceparent's trace id and the session in its path."""
    stream = io.StringIO()
    restore = configure("json", "info", stream)
    trace_id, parent_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    first = {"X-Request-Id": "r1", "traceparent": f"00-{trace_id}-{parent_id}-01"}
    second = {"X-Request-Id": "r2", "traceparent": f"00-{'0' * 32}-{parent_id}-01"}
    try:
        await client.get("/sessions/s1", headers=first)
        await client.get("/sessions/s2", headers=second)
    finally:
        restore()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    lines = [line for line in lines if line["logger"] == "server.middleware"]
    assert [{key: value for key, value in line.items() if key.endswith("Id")} for line in lines] == [
        {"requestId": "r1", "sessionId": "s1", "traceId": trace_id},
        {"requestId": "r2", "sessionId": "s2"},
    ]


# The envelope


async def test_errors_of_the_project_are_in_the_envelope(client: Client) -> None:
    """A VedetteError answers with its code's status, its message and its details."""
    response = await client.get("/sessions/nope")
    assert response.status == 404
    assert await error_of(response) == {"code": "not_found", "message": "no session 'nope'"}


async def test_retry_after_is_a_header_too(client: Client) -> None:
    """`details.retryAfter` becomes Retry-After in whole seconds, rounded up."""
    response = await client.get("/overloaded")
    assert response.status == 503
    assert response.headers["Retry-After"] == "3"
    assert (await error_of(response))["details"] == {"retryAfter": 2.5}


async def test_the_routers_404_names_the_path(client: Client) -> None:
    """An unknown path is not_found in the envelope."""
    response = await client.get("/no/such%0Athing")
    assert response.status == 404
    error = await error_of(response)
    assert error["code"] == "not_found"
    assert "/no/such%0Athing" in error["message"]


async def test_the_routers_405_keeps_allow(client: Client) -> None:
    """A wrong method is told which ones there are, in the message and in Allow."""
    response = await client.delete("/items")
    assert response.status == 405
    assert response.headers["Allow"] == "POST"
    error = await error_of(response)
    assert error == {"code": "invalid_request", "message": "DELETE is not allowed here, have: POST"}


async def test_aiohttps_own_413_is_in_the_envelope(client: Client) -> None:
    """A body above aiohttp's limit is payload_too_large."""
    response = await client.post("/raw", data=io.BytesIO(b"x" * (2 << 20)))
    assert response.status == 413
    assert (await error_of(response))["code"] == "payload_too_large"


async def test_a_crash_is_logged_once_with_its_stack_and_tells_the_client_nothing(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Anything unexpected answers 500 `internal`; the stack is in the log, once, and not in the answer."""
    response = await client.get("/crash")
    text = await response.text()
    assert response.status == 500
    assert json.loads(text)["error"]["code"] == "internal"
    for leak in ("hunter2", "RuntimeError", "Traceback", "test_middleware"):
        assert leak not in text
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1
    assert errors[0].exc_info is not None
    assert isinstance(errors[0].exc_info[1], RuntimeError)


async def test_a_refused_request_is_logged_once(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A client's error is one line, with its code and message, without a stack and without a token of the URL."""
    caplog.set_level(logging.DEBUG, "server")
    await client.get("/sessions/nope?token=sesame")
    (line,) = [record for record in caplog.records if record.name.startswith("server")]
    assert line.levelno == logging.INFO
    assert line.exc_info is None
    assert "GET /sessions/nope?token=*** 404" in line.getMessage()
    assert "not_found: no session 'nope'" in line.getMessage()


async def test_a_validation_error_names_the_field(client: Client) -> None:
    """A pydantic error that a handler lets through is invalid_request, not a crash."""
    response = await client.get("/misbuilt?profile=turbo")
    assert response.status == 400
    error = await error_of(response)
    assert error["code"] == "invalid_request"
    assert error["message"] == "profile: Input should be 'fast' or 'accurate', got 'turbo'"


async def test_redirects_pass(client: Client) -> None:
    """What is not an error is not put in the envelope, and has the headers of every answer."""
    response = await client.get("/moved", allow_redirects=False)
    assert response.status == 302
    assert response.headers["Location"] == "/items"
    assert "X-Request-Id" in response.headers


async def test_an_answer_that_breaks_off_ends_the_connection(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """After the first byte no error body is mixed into the answer: the client sees it cut."""
    host = f"127.0.0.1:{client.port}"
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET /half HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    received = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert received.endswith(b"\r\n\r\nfirst")
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1


# JSON bodies


async def test_a_body_becomes_a_model(client: Client) -> None:
    """camelCase in, a validated model out."""
    response = await client.post("/items", json={"profile": "fast", "sourceId": "s", "items": [{"size": 3}]})
    assert response.status == 201
    assert await response.json() == {"profile": "fast", "sourceId": "s", "items": [{"size": 3}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"profile": "turbo"}, "profile: Input should be 'fast' or 'accurate', got 'turbo'"),
        ({}, "profile: is missing"),
        ({"profile": "fast", "colour": 1}, "colour: unknown field, have: profile, sourceId, items, ratio"),
        ({"profile": "fast", "items": [{"size": "big"}]}, "items.0.size: "),
        ([], "Input should be an object, got []"),
        ({"profile": "rtsp://u:p@cam/1"}, "got 'rtsp://***@cam/1'"),
    ],
)
async def test_a_wrong_body_names_the_field_the_value_and_the_choices(
    client: Client, body: object, expected: str
) -> None:
    """invalid_request says what was wrong and what would be right."""
    response = await client.post("/items", json=body)
    assert response.status == 400
    error = await error_of(response)
    assert error["code"] == "invalid_request"
    assert expected in error["message"]
    assert error["details"]["fields"]


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"{", b"\xff", b'{"profile": "fast", "ratio": NaN}', b"[" * 100_000, b'{"a": "\\ud800"}']
)
async def test_what_is_not_json_is_refused(client: Client, body: bytes) -> None:
    """Broken, empty, not UTF-8, NaN, endless nesting: each is invalid_request."""
    response = await client.post("/items", data=body, headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert (await error_of(response))["code"] == "invalid_request"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
)
async def test_a_body_that_is_not_declared_as_json_is_unsupported(client: Client, content_type: str) -> None:
    """A form of another site can send text, but not JSON, without asking first."""
    response = await client.post("/items", data=b'{"profile": "fast"}', headers={"Content-Type": content_type})
    assert response.status == 415
    assert (await error_of(response))["code"] == "unsupported_media"


async def test_json_is_capped_at_one_mebibyte(client: Client) -> None:
    """Declared, streamed or compressed: above 1 MiB it is payload_too_large."""

    async def streamed() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 32_768

    headers = {"Content-Type": "application/json"}
    bomb = gzip.compress(b" " * (8 << 20))
    declared = io.BytesIO(b" " * (1 << 20) + b"{}")
    for data, extra in ((declared, {}), (streamed(), {}), (bomb, {"Content-Encoding": "gzip"})):
        response = await client.post("/items", data=data, headers={**headers, **extra})
        assert response.status == 413
        assert (await error_of(response))["code"] == "payload_too_large"


async def test_a_body_that_is_cut_off_is_a_bad_request(client: Client) -> None:
    """Bytes that are not what Content-Encoding says are the client's fault."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = await client.post("/items", data=b"this is not gzip", headers=headers)
    assert response.status == 400
    assert (await error_of(response))["code"] == "invalid_request"


async def test_a_body_that_does_not_arrive_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that declares a body and stays silent is answered and let go."""
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST /items HTTP/1.1\r\nHost: localhost:{client.port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 50\r\n\r\n{{".encode())
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await writer.wait_closed()
    assert b"400" in status


# Host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "127.0.0.1"])
async def test_loopback_names_are_served_on_any_port(client: Client, host: str) -> None:
    """A forwarded port still reaches the server."""
    response = await client.get("/sessions/x", headers={"Host": host})
    assert response.status == 404


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8000", "192.168.1.5", "localhost@evil", "", "[::1", "a b"],
)
async def test_a_rebinding_host_is_forbidden(client: Client, host: str) -> None:
    """A name that is not ours, pointed at this machine, is refused before the handler runs."""
    response = await client.get("/crash", headers={"Host": host})
    assert response.status == 403
    assert (await error_of(response))["code"] == "forbidden"


async def test_one_host_header_exactly(client: Client) -> None:
    """None and two are refused: proxies and parsers do not agree on which one counts."""
    for lines in ("", "Host: localhost\r\nHost: evil.example\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"GET /crash HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        await writer.wait_closed()
        assert b" 403 " in status or b" 400 " in status


async def test_configured_hosts_are_served(serve: Serve) -> None:
    """Names from the settings are taken, whatever their case."""
    client = await serve(AccessPolicy("127.0.0.1", frozenset({"Camera.lan"})))
    assert (await client.get("/sessions/x", headers={"Host": "camera.lan:8000"})).status == 404
    assert (await client.get("/sessions/x", headers={"Host": "other.lan"})).status == 403


async def test_beyond_loopback_addresses_are_served_and_names_are_not(serve: Serve) -> None:
    """Only a name can be rebound: bound to all interfaces, any address is taken."""
    client = await serve(AccessPolicy("0.0.0.0"))
    for host in ("192.168.1.5:8000", "[fd00::5]:8000", "localhost"):
        assert (await client.get("/sessions/x", headers={"Host": host})).status == 404
    assert (await client.get("/sessions/x", headers={"Host": "evil.example"})).status == 403


# Origin


async def test_no_origin_is_fine(client: Client) -> None:
    """Programs that are not browsers send none."""
    assert (await client.get("/sessions/x")).status == 404


async def test_the_servers_own_origin_is_taken(client: Client) -> None:
    """Origin equal to scheme and Host passes, however the default port is written."""
    for host, origin in (("localhost:8000", "http://localhost:8000"), ("localhost:80", "http://localhost")):
        response = await client.get("/sessions/x", headers={"Host": host, "Origin": origin})
        assert response.status == 404


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3000",
        "https://localhost:8000",
        "http://localhost:8000.evil.example",
        "null",
        "file://",
        "",
    ],
)
async def test_a_foreign_origin_is_forbidden(client: Client, origin: str) -> None:
    """Another page, another port and another scheme are all refused, and get no CORS header."""
    response = await client.get("/crash", headers={"Host": "localhost:8000", "Origin": origin})
    assert response.status == 403
    assert (await error_of(response))["code"] == "forbidden"
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_cross_site_requests_without_an_origin_are_forbidden(client: Client) -> None:
    """An <img> or <iframe> of another site is refused; a link that somebody follows is not."""
    cross = {"Sec-Fetch-Site": "cross-site"}
    image = {**cross, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    frame = {**cross, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    link = {**cross, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers in (cross, image, frame):
        assert (await client.get("/sessions/x", headers=headers)).status == 403
    assert (await client.post("/items", headers=link)).status == 403
    assert (await client.get("/sessions/x", headers=link)).status == 404


async def test_null_from_our_own_page_is_taken(client: Client) -> None:
    """A form of our own page sends Origin null under no-referrer; a sandboxed frame is told apart by Sec-Fetch-Site."""
    own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    sandboxed = {"Origin": "null", "Sec-Fetch-Site": "cross-site"}
    assert (await client.get("/sessions/x", headers=own)).status == 404
    assert (await client.get("/sessions/x", headers=sandboxed)).status == 403


async def test_sockets_are_checked_at_the_handshake(client: Client) -> None:
    """No same-origin rule of browsers covers WebSockets: the server refuses them, with HTTP 403."""
    own: ClientWebSocketResponse = await client.ws_connect("/socket", origin=f"http://127.0.0.1:{client.port}")
    await own.send_str("hello")
    assert await own.receive_str(timeout=5) == "hello"
    await own.close()
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/socket", headers=headers)
        assert refused.value.status == 403


def test_a_wrong_setting_is_refused() -> None:
    """Hosts and origins that are none, and `*`, stop the start with a message that names them."""
    with pytest.raises(ValueError, match=r"'\*' is not an origin"):
        AccessPolicy("127.0.0.1", allowed_origins=frozenset({"*"}))
    with pytest.raises(ValueError, match="'http://a/b' is not an origin"):
        AccessPolicy("127.0.0.1", allowed_origins=frozenset({"http://a/b"}))
    with pytest.raises(ValueError, match="'http://camera' is not a host name"):
        AccessPolicy("127.0.0.1", frozenset({"http://camera"}))


# CORS


async def test_an_allowed_origin_gets_cors_headers(serve: Serve) -> None:
    """Answers and errors name that origin and never `*`; every answer varies by Origin."""
    client = await serve(AccessPolicy("127.0.0.1", allowed_origins=frozenset({CONSOLE})))
    response = await client.get("/sessions/x", headers={"Origin": CONSOLE})
    assert response.status == 404
    assert response.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert "Location" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Vary"] == "Origin"
    without = await client.get("/sessions/x")
    assert "Access-Control-Allow-Origin" not in without.headers
    assert without.headers["Vary"] == "Origin"


async def test_preflights_are_answered_for_allowed_origins_only(serve: Serve) -> None:
    """OPTIONS from the console's development server names the methods and headers; from elsewhere it is 403."""
    client = await serve(AccessPolicy("127.0.0.1", allowed_origins=frozenset({CONSOLE})))
    ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    response = await client.options("/items", headers={"Origin": CONSOLE, **ask})
    assert response.status == 204
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
    assert response.headers["Access-Control-Allow-Origin"] == CONSOLE
    refused = await client.options("/items", headers={"Origin": "http://evil.example", **ask})
    assert refused.status == 403
    assert "Access-Control-Allow-Methods" not in refused.headers


# Headers and connections


async def test_security_headers_are_on_every_answer(client: Client) -> None:
    """Also on errors and on refusals."""
    for path, headers in (("/crash", {}), ("/nowhere", {}), ("/nowhere", {"Host": "evil.example"})):
        response = await client.get(path, headers=headers)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=(self)" in response.headers["Permissions-Policy"]
        assert "microphone=(self)" in response.headers["Permissions-Policy"]
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


@asynccontextmanager
async def running(header_timeout_s: float) -> AsyncIterator[int]:
    runner = web.AppRunner(application(), **runner_options(header_timeout_s))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site.port
    await runner.cleanup()


async def test_half_a_header_does_not_hold_a_connection() -> None:
    """Whoever has not completed a request in time is cut, even while dribbling bytes, first request or later."""
    async with running(header_timeout_s=0.3) as port:
        for before in (b"", f"GET /nowhere HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            started_s = time.monotonic()
            writer.write(before + b"GET / HTTP/1.1\r\nHost: loc")
            ended = asyncio.ensure_future(reader.read())
            while not ended.done() and time.monotonic() - started_s < 5:
                writer.write(b"a")
                await asyncio.wait({ended}, timeout=0.05)
            assert ended.done()
            assert time.monotonic() - started_s < 2
            await asyncio.gather(ended, return_exceptions=True)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_url_that_is_too_long_is_refused_like_anything_else() -> None:
    """Up to eight times our bound it is answered in the envelope, and no stack is in the log."""
    async with running(header_timeout_s=5) as port, aiohttp.ClientSession() as http:
        response = await http.get(f"http://localhost:{port}/items?{'x' * 20_000}")
        assert response.status == 400
        assert (await error_of(response))["message"] == "the URL is longer than 8192 bytes"
