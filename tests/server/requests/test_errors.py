"""The error envelope, whatever went wrong."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest

from tests.server.requests.small_app import Client, error_of


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
    for leak in ("hunter2", "RuntimeError", "Traceback", "small_app"):
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
