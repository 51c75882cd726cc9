"""A child that misbehaves as its file tells it to: what the server's end has to survive."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys

from tracks.media import confine, wire
from tracks.media.child import send
from tracks.media.limits import Limits

VIDEO = {"codec": "h264", "width": 64, "height": 64, "fps": 25.0}


def audio(start_s: float, size: int = 4000) -> bytes:
    """A message of silence."""
    return wire.pack(wire.AUDIO, wire.TIME.pack(start_s) + bytes(size))


def picture(slot: int, at_s: float, width: int = 64, height: int = 64) -> bytes:
    """Where a picture is said to be."""
    return wire.pack(wire.PICTURE, wire.PLACE.pack(slot, at_s, width, height))


def main(request: str, how: str) -> None:
    """Start properly, then do what `how` says."""
    asked = json.loads(request)
    if how == "stillborn":
        sys.exit("no such library")
    if how == "asleep":
        signal.pause()
    confine.limit(Limits(**asked["limits"]), asked["parent"])
    send(wire.pack_json(wire.READY, {"missing": []}))
    if how == "mute":
        signal.pause()
    shown = asked["pictures"]
    send(wire.pack_json(wire.INFO, {"format": "mov", "duration_s": 5.0, "audio": None, "video": shown and VIDEO}))
    first, second = (os.read(shown["free"], 1)[0] if shown else 0 for _ in range(2))
    if how == "stuck":
        signal.pause()
    elif how == "spin":
        while True:
            pass
    elif how == "hungry":
        held = [bytearray(16 * 1024 * 1024) for _ in range(1000)]
        send(wire.pack(wire.END, repr(len(held)).encode()))
    elif how.startswith("signal"):
        os.kill(os.getpid(), int(how.split()[1]))
    elif how == "leave":
        sys.exit(3)
    elif how == "dribble":
        second = 0
        while True:
            send(audio(float(second)))
            signal.sigtimedwait([], 0.2)
            second += 1
    elif how == "endless":
        second = 0
        while True:
            send(audio(float(second), 64_000))
            second += 1
    send(
        {
            "nowhere near": picture(99, 0.0),
            "too large": picture(first, 0.0, 8192, 8192),
            "no size": picture(first, 0.0, 0, 64),
            "odd sides": picture(first, 0.0, 63, 64),
            "back in time": picture(first, 1.0) + picture(second, 1.0),
            "no time": picture(first, float("nan")),
            "next year": picture(first, 3e7),
            "long words": wire.pack(wire.PLAY, wire.TIME.pack(0.0) + bytes(400_000)),
            "half a sample": wire.pack(wire.PLAY, wire.TIME.pack(0.0) + bytes(6)),
            "said before": wire.pack(wire.PLAY, wire.TIME.pack(1.0) + bytes(400)) * 2,
            "part of it": wire.pack(wire.PICTURE, b"\0"),
            "noise": b"\xff" * 4096,
            "huge": struct.pack("<cI", wire.AUDIO, 2**32 - 1),
            "odd": audio(0.0, 4001),
            "nowhere": audio(float("nan")),
            "far": audio(1e12),
            "backwards": audio(1.0) + audio(0.5),
            "liar": wire.pack_json(wire.END, {"end_s": -1, "damaged": 0, "cut_off": False}),
            "environment": wire.pack_json(
                wire.FAULT, {"code": "unsupported_media", "message": " ".join(sorted(os.environ))}
            ),
            "intruder": wire.pack_json(wire.FAULT, {"code": "internal", "message": "x"}),
        }[how]
    )
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], os.read(0, 100).decode())
