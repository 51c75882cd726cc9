"""Every way in which a connection ends, with its code."""

from __future__ import annotations

import asyncio
import json
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from server.roles import Role
from server.stream import connection as connections
from server.stream import line, outbox, streams
from server.stream.socket import MAX_MESSAGE_BYTES
from tests.server.clients import until_async
from tests.server.stream.client import JPEG, Stream, connect
from tests.server.stream.conftest import Connect, Place, serving
from tests.waiting import until

TEXT, BINARY = 0x1, 0x2


async def raw(socket: ClientWebSocketResponse, opcode: int, payload: bytes, *, deflated: bool = False) -> None:
    """A frame that no client library would send: masked with zeros, said to be deflated or not."""
    head = bytes([0x80 | (0x40 if deflated else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8, "big")
    connection = socket._conn
    assert connection is not None
    assert connection.transport is not None
    connection.transport.write(head + bytes(4) + payload)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


Misdeed = Callable[[Stream], Awaitable[None]]
BOMB = deflated(b'{"type":"ping","id":"' + b" " * (200 << 20) + b'"}')
"""200 MiB of JSON in 200 kB."""


def text(message: str) -> Misdeed:
    return lambda it: it.socket.send_str(message)


def data(message: bytes) -> Misdeed:
    return lambda it: it.socket.send_bytes(message)


def frame(opcode: int, payload: bytes, *, deflated: bool = False) -> Misdeed:
    return lambda it: raw(it.socket, opcode, payload, deflated=deflated)


@pytest.mark.parametrize(
    ("misdeed", "code"),
    [
        pytest.param(data(b"\x03" + bytes(8)), 1003, id="tag 3"),
        pytest.param(data(b""), 1003, id="no tag"),
        pytest.param(frame(TEXT, b'{"type":"ping","id":"\xff"}'), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, b"this is not deflate", deflated=True), 1007, id="not deflate"),
        pytest.param(text("x" * (5 << 20)), 1009, id="5 MiB of text"),
        pytest.param(data(b"\x01" + bytes(5 << 20)), 1009, id="5 MiB of data"),
        pytest.param(frame(TEXT, BOMB, deflated=True), 1009, id="deflate bomb"),
        pytest.param(frame(BINARY, BOMB, deflated=True), 1009, id="binary deflate bomb"),
        pytest.param(text("{"), 4400, id="not JSON"),
        pytest.param(text("[1]"), 4400, id="a list"),
        pytest.param(text("NaN"), 4400, id="no number"),
        pytest.param(text('"ping"'), 4400, id="a word"),
        pytest.param(text("{}"), 4400, id="no type"),
        pytest.param(text('{"type": "dance"}'), 4400, id="unknown type"),
        pytest.param(text('{"type": ["ping"]}'), 4400, id="type is a list"),
        pytest.param(text("[" * 100_000), 4400, id="deep"),
        pytest.param(text('{"type":"ping","id":' + "9" * 1_000_000 + "}"), 4400, id="a number of a million digits"),
    ],
)
async def test_what_cannot_be_understood_closes(client: Connect, misdeed: Misdeed, code: int) -> None:
    """With the code that says why; and whoever else is connected notices nothing."""
    it, other = await client(compress=15), await client()
    await misdeed(it)
    assert await it.closed() == code
    if code >= 4000:
        assert it.messages[-1]["fatal"] is True
        assert it.messages[-1]["error"]["code"] == "invalid_request"
    assert (await other.ask(type="ping", id="p"))["type"] == "pong"


async def test_a_deflate_bomb_is_never_in_memory(client: Connect) -> None:
    """It is inflated to the limit of a message, and no further."""
    it = await client(compress=15)
    tracemalloc.start()
    try:
        await raw(it.socket, TEXT, BOMB, deflated=True)
        assert await it.closed() == 1009
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_MESSAGE_BYTES


async def test_two_mebibytes_are_taken(client: Connect) -> None:
    """As text, and deflated; what is wrong in it is another matter."""
    it = await client(compress=15)
    await it.start()
    head, tail = '{"type":"frame","ts":1,"data":"', '"}'
    await it.socket.send_str(head + "A" * (MAX_MESSAGE_BYTES - len(head) - len(tail)) + tail)
    await until(lambda: it.types("error"))
    assert it.types("error")[0]["fatal"] is False


async def test_end_tells_the_last_events_and_then_its_reply(place: Place, client: Connect) -> None:
    """What is under way is finished: no frame is without its outcome, objects have left; the session has ended."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    for number in range(8):
        await it.image(number / 15)
        await until(lambda number=number: len(it.outcomes()) >= number)  # type: ignore[misc]
    reply = await it.ask(type="end", id="e")
    assert reply == {"type": "reply", "id": "e", "ok": True, "result": {"state": "ended"}}
    assert await it.closed() == 1000
    assert it.messages[-1] is reply
    assert list(it.outcomes().values()) == [["detection"]] * 8
    assert [each["data"]["phase"] for each in it.kinds("object")] == ["entered", "left"]
    assert it.kinds("session")[-1]["data"] == {"state": "ended", "reason": "its publisher has ended it"}
    assert (await place.session(session_id))["state"] == "ended"


async def test_a_watchers_end_ends_nothing_but_its_own(place: Place, client: Connect) -> None:
    """The session goes on; without a session, `end` is a goodbye."""
    publisher, watcher, nobody = await client(), await client(), await client()
    session_id = (await publisher.start())["sessionId"]
    await watcher.ask(type="attach", id="a", sessionId=session_id)
    for it in (watcher, nobody):
        assert (await it.ask(type="end", id="e"))["ok"] is True
        assert await it.closed() == 1000
    await publisher.image(1.0)
    await until(lambda: publisher.outcomes())
    assert (await place.session(session_id))["peers"] == 1


@pytest.mark.parametrize("how", ["command", "delete"])
async def test_a_session_that_is_stopped_closes_everybody_with_1000(place: Place, client: Connect, how: str) -> None:
    """After the last event."""
    publisher, watcher = await client(), await client()
    session_id = (await publisher.start())["sessionId"]
    await watcher.ask(type="attach", id="a", sessionId=session_id)
    if how == "command":
        assert (await watcher.command("stop"))["result"] == {"state": "ended"}
    else:
        assert (await place.http.delete(f"/sessions/{session_id}")).status == 204
    for it in (publisher, watcher):
        assert await it.closed() == 1000
        assert it.kinds("session")[-1]["data"] == {"state": "ended", "reason": "stopped by a client"}


@pytest.mark.usefixtures("_imported")
async def test_a_server_that_goes_away_says_so(tmp_path: Path) -> None:
    """1001: sessions end first, and those that have none are told, too."""
    async with serving(tmp_path) as place:
        it, idle = await connect(place.http), await connect(place.http)
        await it.start()
        await place.server.live.close()
        assert await it.closed() == 1001
        assert it.kinds("session")[-1]["data"]["reason"] == "server stopped"
        assert idle.close_code is None
        await place.server.app.shutdown()
        assert await idle.closed() == 1001


async def test_a_fault_of_the_servers_own_is_1011(client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told without a word of what it was."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    it = await client()
    monkeypatch.setattr(connections.messages, "pong", fail)
    await it.say(type="ping")
    assert await it.closed() == 1011
    assert it.messages[-1]["error"]["code"] == "internal"
    assert "secret" not in json.dumps(it.messages)


async def test_no_room_is_1013_with_the_time_to_wait(
    place: Place, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For another session, and for another connection."""
    monkeypatch.setattr("server.sessions.MAX_SESSIONS", 0)
    it = await client()
    await it.say(type="start", id="s")
    assert await it.closed() == 1013
    assert it.messages[-1]["id"] == "s"
    monkeypatch.setattr(streams, "MAX_CONNECTIONS", 0)
    other = await client()
    assert await other.closed() == 1013
    for each in (it, other):
        assert each.messages[-1]["error"]["code"] == "overloaded"
        assert each.messages[-1]["error"]["details"]["retryAfter"] > 0
    assert (await (await place.http.get("/sources")).json())["sources"] == []


async def test_the_twentieth_bad_message_within_ten_seconds_is_4400(client: Connect) -> None:
    """Nineteen are forgiven: bad pictures, bad sound, bad fields."""
    it = await client()
    await it.start(pipelines=["vision", "audio"])
    for number in range(6):
        await it.image(float(number), b"no picture")
        await until(lambda number=number: len(it.types("error")) == 3 * number + 1)  # type: ignore[misc]
        await it.socket.send_bytes(b"\x02" + bytes(11))
        await it.say(type="frame")
        await until(lambda number=number: len(it.types("error")) == 3 * number + 3)  # type: ignore[misc]
    await it.say(type="frame")
    assert (await it.ask(type="ping", id="p"))["type"] == "pong"
    await it.say(type="frame")
    assert await it.closed() == 4400
    assert [each["fatal"] for each in it.types("error")] == [False] * 20 + [True]


@pytest.fixture
async def locked(tmp_path: Path, _imported: None) -> AsyncIterator[Place]:
    async with serving(tmp_path, auth="always") as place:
        yield place


async def test_without_a_good_token_the_socket_is_accepted_and_closed(locked: Place) -> None:
    """4401, since a page cannot read the answer to a refused handshake; and so when the token is taken back."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        it = await connect(locked.http, headers=headers)
        assert await it.closed() == 4401
        assert it.messages == [{"type": "error", "error": it.messages[0]["error"], "fatal": True}]
        assert it.messages[0]["error"]["code"] == "unauthorized"
    headers = locked.bearer(Role.OPERATOR)
    it = await connect(locked.http, headers=headers)
    await it.start()
    for token in locked.tokens.read().tokens:
        locked.tokens.revoke(token.id)
    assert await it.closed() == 4401


async def test_an_unknown_session_is_4404(client: Connect) -> None:
    """By `attach` and by the query."""
    nowhere = "019a0000-0000-7000-8000-000000000000"
    it, other = await client(), await client(f"?sessionId={nowhere}")
    await it.say(type="attach", id="a", sessionId=nowhere)
    for each in (it, other):
        assert await each.closed() == 4404
        assert each.messages[-1]["error"]["code"] == "not_found"
    assert it.messages[-1]["id"] == "a"


async def test_a_second_start_is_4409(client: Connect, place: Place) -> None:
    """One connection, one session; the first one waits for its publisher."""
    it = await client()
    session_id = (await it.start())["sessionId"]
    await it.say(type="start", id="again")
    assert await it.closed() == 4409
    assert it.messages[-1]["id"] == "again"
    assert (await place.session(session_id))["endedAt"] is None


async def test_two_pings_without_a_pong_are_4408(client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers stays."""
    monkeypatch.setattr(line, "HEARTBEAT_S", 0.1)
    alive, dead = await client(), await client(autoping=False)
    began_s = asyncio.get_running_loop().time()
    assert await dead.closed() == 4408
    assert asyncio.get_running_loop().time() - began_s >= 0.3
    assert (await alive.ask(type="ping", id="p"))["type"] == "pong"


async def test_too_many_messages_are_4429(client: Connect) -> None:
    """Of control, and of media."""
    pings, frames, beats = await client(), await client(), await client()
    for _ in range(60):
        await pings.say(type="ping")
    assert await pings.closed() == 4429
    assert len(pings.types("pong")) >= 50
    await frames.start()
    for number in range(500):
        await frames.socket.send_bytes(b"\x01" + bytes(8) + bytes([number % 256]))
        if frames.close_code is not None:
            break
    assert await frames.closed() in (4429, 4400)
    for _ in range(60):
        await beats.socket.ping()
    assert await beats.closed() == 4429


async def test_who_reads_too_slowly_is_cut_and_the_others_lose_nothing(
    place: Place, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4429; its memory is given back."""
    monkeypatch.setattr(outbox, "SLOW_S", 0.5)
    publisher, good = await client(), await client()
    session_id = (await publisher.start())["sessionId"]
    await good.ask(type="attach", id="a", sessionId=session_id)
    slow = await place.http.ws_connect("/ws/stream", protocols=("vedette.v1",))
    await slow.send_json({"type": "attach", "sessionId": session_id, "annotated": "json"})
    connection = slow._conn
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()
    noise = noisy_jpeg()
    number = 0

    async def cut() -> bool:
        nonlocal number
        number += 1
        await publisher.image(number / 30, noise)
        await until(lambda: len(publisher.outcomes()) == number)
        return bool((await place.session(session_id))["peers"] == 2)

    await until_async(lambda: peers(place, session_id, 3))
    await until_async(cut)
    connection.transport.resume_reading()
    codes = [message.extra for message in [await slow.receive() for _ in range(3)] if message.type == WSMsgType.CLOSE]
    assert slow.close_code in (4429, 1006) or codes
    await until(lambda: len(good.outcomes()) == number)
    assert set(good.outcomes()) == set(publisher.outcomes())
    assert not good.types("dropped")
    await slow.close()


async def peers(place: Place, session_id: str, count: int) -> bool:
    return bool((await place.session(session_id))["peers"] == count)


def noisy_jpeg() -> bytes:
    """A picture of 500 kB."""
    import cv2
    import numpy as np

    noise = np.frombuffer(os.urandom(640 * 480 * 3), np.uint8).reshape(480, 640, 3)
    done, encoded = cv2.imencode(".jpg", noise, (cv2.IMWRITE_JPEG_QUALITY, 95))
    assert done
    return bytes(encoded.tobytes())


async def test_a_client_that_is_cut_off_leaves_nothing(place: Place) -> None:
    """Neither a connection nor, after a while, its session: in the midst of a picture, without a goodbye."""
    it = await connect(place.http)
    session_id = (await it.start())["sessionId"]
    connection = it.socket._conn
    assert connection is not None
    assert connection.transport is not None
    await raw(it.socket, BINARY, b"\x01" + bytes(8) + JPEG[:1000])
    connection.transport.write(b"\x82\xfe\xff\xff" + bytes(4) + JPEG[:500])
    connection.transport.abort()  # type: ignore[attr-defined]

    async def ended() -> bool:
        return bool((await place.session(session_id))["state"] == "ended")

    await until_async(ended)
    await it.close()


def test_close_codes_are_the_contracts() -> None:
    """Every code of the table that the server itself decides on."""
    wanted = {1000, 1001, 1003, 1011, 1013, 4400, 4401, 4403, 4404, 4408, 4409, 4429}
    assert {int(code) for code in line.Close} == wanted
