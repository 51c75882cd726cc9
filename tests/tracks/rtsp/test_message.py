"""What goes over an RTSP connection, in whatever pieces it comes."""

from __future__ import annotations

import pytest

from tracks.rtsp.message import (
    BODY_MAX_BYTES,
    Asked,
    Inbox,
    Interleaved,
    Reply,
    Unreadable,
    interleaved,
    reply,
    request,
)

STREAM = (
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\nPublic: OPTIONS\r\npublic: PLAY\r\n\r\nhello"
    + interleaved(0, b"\x80\0packet")
    + b"\r\n\r\n"
    + b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n"
    + interleaved(1, b"")
)


def messages(*pieces: bytes) -> list[Reply | Asked | Interleaved]:
    inbox, found = Inbox(), []
    for piece in pieces:
        inbox.put(piece)
        while (message := inbox.take()) is not None:
            found.append(message)
    return found


def test_messages_are_told_apart() -> None:
    """Replies with their bodies, packets, requests; empty lines between them do no harm."""
    first, packet, asked, empty = messages(STREAM)
    assert isinstance(first, Reply)
    assert (first.status, first.reason, first.number, first.body) == (200, "OK", 3, b"hello")
    assert first.headers["public"] == ["OPTIONS", "PLAY"]
    assert packet == Interleaved(0, b"\x80\0packet")
    assert isinstance(asked, Asked)
    assert (asked.method, asked.headers["cseq"]) == ("OPTIONS", ["9"])
    assert empty == Interleaved(1, b"")


def test_pieces_make_no_difference() -> None:
    """Byte by byte it is the same."""
    assert messages(*(STREAM[n : n + 1] for n in range(len(STREAM)))) == messages(STREAM)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"SSH-2.0-OpenSSH\r\n",
        b"RTSP/1.0 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 4000,
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX_BYTES + 1),
        b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_rtsp_is_told(data: bytes) -> None:
    """Before it has taken much memory."""
    with pytest.raises(Unreadable):
        messages(data)


def test_requests_and_replies_are_written() -> None:
    """As RFC 2326 has them."""
    assert request("PLAY", "rtsp://h/", 2, {"Session": "1"}) == (
        b"PLAY rtsp://h/ RTSP/1.0\r\nCSeq: 2\r\nUser-Agent: Vedette\r\nSession: 1\r\n\r\n"
    )
    assert reply(200, "OK", "9") == b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n"
