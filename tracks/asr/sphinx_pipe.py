"""What goes over the pipes between the server and pocketsphinx: one request, one reply, in turns.

Request: u8 operation, u32 stream, u32 length, then that many bytes of s16le mono 16 kHz. Reply: u32 length, then JSON:
a list of [word, first frame, last frame, probability]. Little-endian; a frame is 10 ms.
"""

from __future__ import annotations

import enum
import json
import struct
from typing import IO, NamedTuple

from ..types import SAMPLE_RATE

BYTES_PER_SECOND = 2 * SAMPLE_RATE
FRAMES_PER_SECOND = 100
_REQUEST = struct.Struct("<BII")
_LENGTH = struct.Struct("<I")


class Op(enum.IntEnum):
    """What is asked for."""

    WHOLE = 1
    """Begin with these samples, a whole utterance."""
    STEP = 2
    """Search through its next second."""
    END = 3
    """End it and give its words."""
    OPEN = 4
    """Begin a stream."""
    PUSH = 5
    """More samples of a stream; gives its words so far."""
    SHUT = 6
    """End a stream."""


class Spoken(NamedTuple):
    """A word as pocketsphinx has it."""

    word: str
    first_frame: int
    last_frame: int
    probability: float


def write_request(pipe: IO[bytes], op: Op, stream: int, samples: bytes) -> None:
    """Send a request. Raises OSError when the other side is gone."""
    pipe.write(_REQUEST.pack(op, stream, len(samples)))
    pipe.write(samples)
    pipe.flush()


def read_request(pipe: IO[bytes]) -> tuple[Op, int, bytes] | None:
    """The next request; None when the other side has closed the pipe."""
    head = pipe.read(_REQUEST.size)
    if len(head) < _REQUEST.size:
        return None
    op, stream, length = _REQUEST.unpack(head)
    samples = pipe.read(length)
    return (Op(op), stream, samples) if len(samples) == length else None


def write_reply(pipe: IO[bytes], words: list[Spoken]) -> None:
    """Send a reply."""
    body = json.dumps(words).encode()
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def read_reply(pipe: IO[bytes]) -> list[Spoken]:
    """The reply. Raises EOFError when the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("it ended")
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    if len(body) < length:
        raise EOFError("it ended")
    return [Spoken(*each) for each in json.loads(body)]
