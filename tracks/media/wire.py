"""Messages between the child that decodes and the server: a kind, a length and a payload, on a pipe.

The pipe is the queue: it holds 64 KiB, and a child whose reader is slow waits in `write`. Only the child sends.
Pictures lie in memory that both have (`slots.py`); what goes through the pipe tells which is where.

| kind | payload |
|---|---|
| `READY` | JSON `{"missing": [limits that this system does not have]}`, before the file is looked at |
| `INFO` | JSON, what is in the file, once |
| `AUDIO` | f64 LE media time of the first sample in seconds, then f32 LE samples, mono, 16 kHz |
| `PLAY` | the same with s16 LE samples, stereo, 48 kHz |
| `PICTURE` | u8 slot, f64 LE media time in seconds, u32 LE width, u32 LE height: yuv420p, planes one behind the other |
| `TALLY` | JSON, what was lost so far of what a camera sends, once a second |
| `END` | JSON, how it ended; the last message |
| `FAULT` | JSON `{"code", "message", "details"?}`; the last message |
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

READY, INFO, AUDIO, PLAY, PICTURE, TALLY, END, FAULT = b"R", b"I", b"A", b"P", b"V", b"T", b"E", b"F"
KINDS = frozenset({READY, INFO, AUDIO, PLAY, PICTURE, TALLY, END, FAULT})

SAMPLE_RATE = 16_000
"""That of `tracks.types`, which the child does without: numpy costs more time and memory than decoding does."""
PLAY_RATE = 48_000
"""Of sound to be played, in Hz."""
SAMPLE_BYTES = 4
"""Of a float32, and of two int16."""

HEADER = struct.Struct("<cI")
"""Kind and number of bytes that follow."""
TIME = struct.Struct("<d")
PLACE = struct.Struct("<BdII")
"""Of a picture: slot, media time, width, height."""
MAX_BYTES = 1024 * 1024
"""Of a payload. Who reads refuses more: a decoder that has been taken over may write anything."""


def pack(kind: bytes, payload: bytes) -> bytes:
    """One message."""
    return HEADER.pack(kind, len(payload)) + payload


def pack_json(kind: bytes, value: Mapping[str, Any]) -> bytes:
    """One message that is JSON."""
    return pack(kind, json.dumps(value).encode())
