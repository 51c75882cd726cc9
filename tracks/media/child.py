"""The process that decodes: its file, or a connection, is descriptor 0, what comes of it goes to descriptor 1, and it
has nothing else but memory for pictures, where they are wanted, and sockets, where a camera is to send to them.

Started by `process.py` as `python -m tracks.media.child REQUEST`. What it can do is in `tasks.py`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from ..errors import UnsupportedMedia, VedetteError
from . import confine, wire
from .limits import MIB, Limits

FILE, OUT = 0, 1


def main(request: str) -> int:
    """Do one task, send what comes of it, and end."""
    asked = json.loads(request)
    limits = Limits(**asked["limits"])
    pictures = asked["pictures"]
    shared_bytes = 0 if pictures is None else pictures["bytes"]
    missing = confine.limit(limits, asked["parent"], shared_bytes)
    # libav is loaded behind the limits, and all of it before nothing can be opened any more
    from .job import Job
    from .slots import Slots
    from .tasks import TASKS

    given = _read(asked["given"])
    slots = None if pictures is None else Slots(pictures["memory"], pictures["free"], limits.max_pixels)
    missing += confine.seal()
    fault: VedetteError
    try:
        send(wire.pack_json(wire.READY, {"missing": missing}))
        TASKS[asked["task"]](Job(FILE, limits, send, slots, asked["sound"], given, asked["datagrams"]))
        return 0
    except BrokenPipeError:  # nobody listens any more
        return 0
    except VedetteError as error:
        fault = error
    except MemoryError:
        fault = UnsupportedMedia(f"decoding it needs more than {limits.memory_bytes // MIB} MiB of memory")
    except Exception as error:
        # Nobody knows all that libraries raise about a hostile file; the server logs this.
        traceback.print_exc()
        fault = UnsupportedMedia(f"cannot be decoded ({type(error).__name__})")
    send(wire.pack_json(wire.FAULT, fault.body()))
    return 0


def _read(pipe: int | None) -> Mapping[str, Any]:
    if pipe is None:
        return {}
    with os.fdopen(pipe, "rb") as told:
        given: Mapping[str, Any] = json.load(told)
    return given


def send(message: bytes) -> None:
    """Blocking: waits while the pipe is full. Raises BrokenPipeError."""
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(OUT, rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
