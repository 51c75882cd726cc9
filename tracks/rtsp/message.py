"""What goes over an RTSP connection: requests, replies, and RTP between them (RFC 2326, sections 6, 7 and 10.12)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEAD_MAX_BYTES = 16 * 1024
BODY_MAX_BYTES = 64 * 1024
AGENT = "Vedette"

_STATUS = re.compile(rb"RTSP/\d\.\d (\d{3})(?: (.*))?")
_REQUEST = re.compile(rb"([A-Z_]{3,20}) (\S+) RTSP/\d\.\d")
_BEGINS = re.compile(rb"[A-Z_]{1,20}(/| |$)")
_UNPRINTABLE = re.compile(r"[^ -~]+")
REASON_CHARS = 80


class Unreadable(Exception):
    """What came is not RTSP; the message says what it looks like."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the camera answers."""

    status: int
    reason: str
    """Its own words, printable."""
    headers: Mapping[str, Sequence[str]]
    """By lower-case name."""
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value of a header, empty where there is none."""
        return next(iter(self.headers.get(name.lower(), ())), "")

    @property
    def number(self) -> int:
        """CSeq; -1 without."""
        text = self.header("CSeq")
        return int(text) if text.isdecimal() and len(text) < 10 else -1


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the camera's own."""

    method: str
    headers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet of RTP or RTCP."""

    channel: int
    data: bytes


def request(method: str, uri: str, number: int, headers: Mapping[str, str]) -> bytes:
    """A request without a body."""
    lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {number}", f"User-Agent: {AGENT}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def reply(status: int, reason: str, number: str) -> bytes:
    """An answer to a request of the camera's."""
    return f"RTSP/1.0 {status} {reason}\r\nCSeq: {number}\r\n\r\n".encode()


def interleaved(channel: int, data: bytes) -> bytes:
    """A packet as it goes over the connection."""
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


class Inbox:
    """Takes bytes as they come, gives whole messages. Holds 80 KiB at most."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def put(self, data: bytes) -> None:
        """What has come."""
        self._bytes += data

    def take(self) -> Reply | Asked | Interleaved | None:
        """The next message; None until it is whole. Raises Unreadable."""
        buffer = self._bytes
        if buffer.startswith((b"\r", b"\n")):  # some cameras send empty lines between messages
            del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
        if not buffer:
            return None
        if buffer[0] == ord("$"):
            return self._interleaved()
        end = buffer.find(b"\r\n\r\n", 0, HEAD_MAX_BYTES)
        if end < 0:
            if len(buffer) >= HEAD_MAX_BYTES or not _BEGINS.match(buffer[:24]):
                raise Unreadable(_looks(buffer))
            return None
        first, *lines = bytes(buffer[:end]).split(b"\r\n")
        headers = _headers(lines)
        length = next(iter(headers.get("content-length", ())), "0").strip()
        if not length.isdecimal() or int(length[:9]) > BODY_MAX_BYTES:
            raise Unreadable(f"a message of {length[:20]} bytes")
        whole = end + 4 + int(length)
        if len(buffer) < whole:
            return None
        body = bytes(buffer[end + 4 : whole])
        del buffer[:whole]
        if status := _STATUS.fullmatch(first):
            return Reply(int(status[1]), printable(status[2] or b""), headers, body)
        if asked := _REQUEST.fullmatch(first):
            return Asked(asked[1].decode(), headers)
        raise Unreadable(_looks(first))

    def _interleaved(self) -> Interleaved | None:
        buffer = self._bytes
        if len(buffer) < 4:
            return None
        end = 4 + int.from_bytes(buffer[2:4], "big")
        if len(buffer) < end:
            return None
        packet = Interleaved(buffer[1], bytes(buffer[4:end]))
        del buffer[:end]
        return packet


def printable(text: bytes) -> str:
    """Words of the camera's, for a message."""
    return _UNPRINTABLE.sub("?", text[:REASON_CHARS].decode("latin-1")).strip()


def _headers(lines: Sequence[bytes]) -> Mapping[str, Sequence[str]]:
    headers: dict[str, list[str]] = {}
    for line in lines[:100]:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return headers


def _looks(data: bytes | bytearray) -> str:
    return f"it begins with {printable(bytes(data[:24]))!r}"
