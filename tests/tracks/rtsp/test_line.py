"""The sockets that lead to a camera."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tracks.errors import SourceUnreachable
from tracks.rtsp import line as module
from tracks.rtsp.line import Line


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """(camera's end, ours, a datagram socket of ours)."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        with socket.create_connection(server.getsockname()) as ours:
            theirs, _ = server.accept()
            with theirs:
                yield theirs, ours, datagrams


def test_what_comes_is_read_and_whether_it_was_waited_for(ends: tuple[socket.socket, ...]) -> None:
    """What was there already did not have to be waited for; nothing in time is nothing; the end is told."""
    theirs, ours, _ = ends
    line = Line(ours)
    assert line.read(time.monotonic() + 0.01) is None
    assert line.waited
    theirs.sendall(b"abc")
    while (data := line.read(time.monotonic() + 1.0)) is None:
        pass
    assert data == b"abc"
    theirs.sendall(b"def")
    while line.read(0.0) is None:
        pass
    assert not line.waited
    theirs.close()
    with pytest.raises(SourceUnreachable, match="closed"):
        line.read(time.monotonic() + 1.0)


def test_datagrams_of_others_are_not_the_camera_s(ends: tuple[socket.socket, ...]) -> None:
    """Whoever knows the port may send to it; only the camera's address counts."""
    _, ours, datagrams = ends
    line = Line(ours, [datagrams])
    to = ("127.0.0.1", line.ports[0])
    with socket.socket(type=socket.SOCK_DGRAM) as stranger, socket.socket(type=socket.SOCK_DGRAM) as camera:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(b"evil", to)
        camera.bind(("127.0.0.1", 0))
        camera.sendto(b"good", to)
        assert line.read(time.monotonic() + 1.0) == b""
    assert line.datagram() == (0, b"good")
    assert line.datagram() is None


def test_who_takes_nothing_is_given_up(ends: tuple[socket.socket, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that does not read."""
    monkeypatch.setattr(module, "WRITE_S", 0.05)
    line = Line(ends[1])
    with pytest.raises(SourceUnreachable, match=r"took nothing for 0\.05 s"):
        line.write(bytes(64_000_000))  # more than the kernel keeps
