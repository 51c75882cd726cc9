"""Log lines for people and for machines: ids, redaction, no forged lines, libraries kept quiet."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from aiohttp.http_exceptions import BadStatusLine

from server.logs import LogKind, configure, log_context, redact

Start = Callable[..., io.StringIO]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def start() -> Iterator[Start]:
    restores: list[Callable[[], None]] = []

    def begin(kind: LogKind = "json", level: str = "info", stream: io.StringIO | None = None) -> io.StringIO:
        stream = stream or io.StringIO()
        restores.append(configure(kind, level, stream))
        return stream

    yield begin
    for restore in reversed(restores):
        restore()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_the_ids_in_camel_case(start: Start) -> None:
    """A line has time, level, logger, message and the fields of its context."""
    stream = start()
    with log_context(session_id="s1", source_id="c1"):
        logging.getLogger("server.sessions").warning("stalled after %d s", 5)
    (line,) = lines(stream)
    assert line.pop("at") == pytest.approx(logging.LogRecord("", 0, "", 0, "", None, None).created, abs=60)
    assert line == {
        "level": "warning",
        "logger": "server.sessions",
        "message": "stalled after 5 s",
        "sessionId": "s1",
        "sourceId": "c1",
    }


def test_contexts_nest_and_end(start: Start) -> None:
    """An inner context adds and takes away fields, and leaves the outer one as it was."""
    stream = start()
    log = logging.getLogger("x")
    with log_context(request_id="r", session_id="s"):
        with log_context(session_id="t", request_id=None):
            log.info("inner")
        log.info("outer")
    log.info("none")
    ids = [{key: line[key] for key in line if key.endswith("Id")} for line in lines(stream)]
    assert ids == [{"sessionId": "t"}, {"requestId": "r", "sessionId": "s"}, {}]


async def test_tasks_keep_the_context_they_were_started_in(start: Start) -> None:
    """Two tasks at the same time do not see each other's ids."""
    stream = start()
    meet = asyncio.Barrier(2)

    async def work(session_id: str) -> None:
        with log_context(session_id=session_id):
            await meet.wait()
            logging.getLogger("x").info("work of %s", session_id)

    await asyncio.gather(work("a"), work("b"))
    assert sorted((line["message"], line["sessionId"]) for line in lines(stream)) == [
        ("work of a", "a"),
        ("work of b", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open rtsp://admin:p@ss@10.0.0.9:554/a@b failed", "open rtsp://***@10.0.0.9:554/a@b failed"),
        ("postgres://vedette:pw@db/v", "postgres://***@db/v"),
        ("GET /whep?token=abc&track=raw", "GET /whep?token=***&track=raw"),
        (f"DELETE /whip/{'5f' * 18} 200", "DELETE /whip/*** 200"),
        ("?a=1&access_token=abc", "?a=1&access_token=***"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("vedette.v1, bearer.c2VjcmV0dG9rZW4", "vedette.v1, bearer.***"),
        ("http://localhost:8000/x, mail a@b.example", "http://localhost:8000/x, mail a@b.example"),
    ],
)
def test_credentials_are_redacted(text: str, expected: str) -> None:
    """User information of URLs, secret query parameters and bearer tokens become ***; the rest stays."""
    assert redact(text) == expected


@pytest.mark.parametrize("kind", ["console", "json"])
def test_no_credential_reaches_a_log(start: Start, kind: LogKind) -> None:
    """Neither through a message, nor through a stack, nor through a field."""
    stream = start(kind)
    with log_context(source_id="rtsp://u:hunter2@cam"):
        try:
            raise OSError("cannot open rtsp://u:hunter2@cam/1")
        except OSError:
            logging.getLogger("x").exception("source %s failed", "rtsp://u:hunter2@cam/1")
    assert "hunter2" not in stream.getvalue()
    assert "rtsp://***@cam/1" in stream.getvalue()
    assert "OSError" in stream.getvalue()


def test_console_lines_are_aligned_and_plain_off_a_terminal(start: Start) -> None:
    """Time, level, logger, message, ids; no escape codes in a file."""
    stream = start("console")
    with log_context(session_id="s1"):
        logging.getLogger("server.app").info("ready")
        logging.getLogger("tracks.vision").warning("slow")
    first, second = stream.getvalue().splitlines()
    assert first.index("ready") == second.index("slow")
    assert first.endswith("ready  session_id=s1")
    assert "\x1b" not in stream.getvalue()


def test_console_lines_are_coloured_on_a_terminal(start: Start) -> None:
    """The level stands out where colours are seen."""
    stream = start("console", stream=Terminal())
    logging.getLogger("server.app").warning("slow")
    assert "\x1b[33mWARNING" in stream.getvalue()


def test_a_message_cannot_forge_a_line_or_drive_the_terminal(start: Start) -> None:
    """Line breaks are indented and control characters shown."""
    stream = start("console")
    with log_context(session_id="s\n12:00:00.000 INFO forged"):
        logging.getLogger("x").info("name %s", "a\r\n12:00:00.000 ERROR forged\x1b[2J\u2028b")
    first, second = stream.getvalue().splitlines()
    assert second.startswith("    12:00:00.000 ERROR forged\\x1b[2J")
    assert "\\x0d" in first
    assert "session_id=s\\n" in second


def test_stacks_are_part_of_their_line(start: Start) -> None:
    """A stack is one field of the JSON line."""
    stream = start()
    try:
        raise KeyError("k")
    except KeyError:
        logging.getLogger("x").exception("failed")
    (line,) = lines(stream)
    assert "KeyError: 'k'" in str(line["stack"])


def test_libraries_are_quiet_below_warning(start: Start) -> None:
    """Even at debug: their talk would drown ours; ours is written."""
    stream = start(level="debug")
    for name in ("aioice.ice", "aiortc.rtcpeerconnection", "ultralytics"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    logging.getLogger("tracks.vision").debug("ours")
    assert [line["message"] for line in lines(stream)] == ["trouble", "trouble", "trouble", "ours"]


def test_a_library_that_sets_itself_up_later_is_still_ours(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """ultralytics, when imported, sets its level, a handler of its own on stdout, and no propagation."""
    stream = start()
    library = logging.getLogger("ultralytics")
    before = library.level, library.propagate
    own = logging.StreamHandler()
    library.setLevel(logging.INFO)
    library.propagate = False
    library.addHandler(own)
    try:
        library.info("banner")
        library.warning("no weights")
    finally:
        library.removeHandler(own)
        library.setLevel(before[0])
        library.propagate = before[1]
    assert [line["message"] for line in lines(stream)] == ["no weights"]
    assert capsys.readouterr() == ("", "")


def test_requests_that_are_not_http_cost_one_line(start: Start) -> None:
    """aiohttp's stack for each malformed request becomes a line without one."""
    stream = start()
    try:
        raise BadStatusLine("\x16\x03\x01")
    except BadStatusLine as error:
        logging.getLogger("aiohttp.server").exception("Error handling request from %s", "1.2.3.4", exc_info=error)
    (line,) = lines(stream)
    assert "stack" not in line
    assert line["level"] == "info"
    assert str(line["message"]).startswith("Error handling request from 1.2.3.4: ")


def test_configuring_can_be_undone() -> None:
    """Levels, handlers and filters are as they were."""
    root, library = logging.getLogger(), logging.getLogger("aioice")
    before = root.level, list(root.handlers), library.level, list(logging.getLogger("ultralytics").filters)
    configure("json", "debug", io.StringIO())()
    assert (root.level, list(root.handlers), library.level, logging.getLogger("ultralytics").filters) == before


def test_unknown_kinds_and_levels_are_refused_and_change_nothing() -> None:
    """The message names the choices."""
    before = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="unknown log level 'loud', have: debug"):
        configure("json", "loud", io.StringIO())
    with pytest.raises(ValueError, match="unknown log kind 'xml', have: console, json"):
        configure("xml", "info", io.StringIO())  # type: ignore[arg-type]
    assert logging.getLogger().handlers == before
