"""Messages between the child that decodes and the server: a kind, a length and a payload, on a pipe.

The pipe is the queue: it holds 64 KiB, and a child whose reader is slow waits in `write`. Only the child sends.

| kind | payload |
|---|---|
| `READY` | JSON `{"missing": [limits that this system does not have]}`, before the file is looked at |
| `INFO` | JSON, what is in the file, once |
| `AUDIO` | f64 LE media time of the first sample in seconds, then f32 LE samples, mono, 16 kHz |
| `END` | JSON, how it ended; the last message |
| `FAULT` | JSON `{"code", "message", "details"?}`; the last message |
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

READY, INFO, AUDIO, END, FAULT = b"R", b"I", b"A", b"E", b"F"
KINDS = frozenset({READY, INFO, AUDIO, END, FAULT})

SAMPLE_RATE = 16_000
"""That of `tracks.types`, which the child does without: numpy costs more time and memory than decoding does."""

HEADER = struct.Struct("<cI")
"""Kind and number of bytes that follow."""
TIME = struct.Struct("<d")
MAX_BYTES = 1024 * 1024
"""Of a payload. Who reads refuses more: a decoder that has been taken over may write anything."""


def pack(kind: bytes, payload: bytes) -> bytes:
    """One message."""
    return HEADER.pack(kind, len(payload)) + payload


def pack_json(kind: bytes, value: Mapping[str, Any]) -> bytes:
    """One message that is JSON."""
    return pack(kind, json.dumps(value).encode())
