"""What is on every answer, and in the log of every request."""

from __future__ import annotations

import io
import json

from server.logs import configure
from tests.server.requests.small_app import Client


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
