"""Whose pages may ask: Origin, and CORS for those that are allowed."""

from __future__ import annotations

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError

from server.origin import AccessPolicy
from tests.server.requests.small_app import CONSOLE, Client, Serve, error_of


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
