"""JSON bodies: read into models, checked, capped, and given up when they do not arrive."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator

import pytest

from server import middleware
from tests.server.requests.small_app import Client, error_of


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
