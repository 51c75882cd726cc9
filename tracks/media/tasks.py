"""What the child can do with its file: a function each, by the name that the server asks for. Runs in the child only.

Video frames would be one more: a function, its name in `TASKS`, and a kind of message in `wire.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import av.audio.codeccontext
import av.audio.stream
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
from av.container import InputContainer
from av.error import FFmpegError
from av.error import MemoryError as NoMemory
from av.packet import Packet
from av.stream import Stream

from ..errors import UnsupportedMedia
from . import wire
from .contents import describe, is_stated, listenable, missing_bytes, open_file, too_long
from .limits import Limits
from .sound import BYTES, Sound

CUT_S, CUT_SHARE = 0.5, 0.02
"""A file that ends this much, and this share, before the end that it states is cut off. Encoders round and pad."""

Send = Callable[[bytes], None]
Task = Callable[[int, Limits, Send], None]
"""(the file's descriptor, limits, what sends a message)."""


def nothing(_fd: int, _limits: Limits, _send: Send) -> None:
    """Be ready, and no more: shows which limits hold here."""


def probe(fd: int, limits: Limits, send: Send) -> None:
    """Tell what is in the file."""
    with open_file(fd, limits) as container:
        info = describe(container, limits)
        if info["video"] and not info["video"]["width"] * info["video"]["height"]:
            raise UnsupportedMedia(
                f"the size of its picture cannot be told, or is far beyond {limits.max_pixels} pixels"
            )
        send(wire.pack_json(wire.INFO, info))


def audio(fd: int, limits: Limits, send: Send) -> None:
    """Tell what is in the file, then its sound, then how it ended."""

    def emit(start_s: float, samples: bytes) -> None:
        if start_s + len(samples) / BYTES / wire.SAMPLE_RATE > limits.max_duration_s + CUT_S:
            raise too_long(limits.max_duration_s, limits)
        send(wire.pack(wire.AUDIO, wire.TIME.pack(start_s) + samples))

    lacking = missing_bytes(fd)
    with open_file(fd, limits) as container:
        info = describe(container, limits)
        listenable(container)
        send(wire.pack_json(wire.INFO, info))
        media_s, end_s, damaged = _decode(container, emit)
        stated_s = (info["duration_s"] or 0.0) if is_stated(container) else 0.0
    cut = lacking > 0 or stated_s - max(media_s, end_s) > max(CUT_S, CUT_SHARE * stated_s)
    if end_s == 0.0:
        raise UnsupportedMedia(f"nothing of its audio can be decoded: it is {'cut off' if cut else 'empty or damaged'}")
    send(wire.pack_json(wire.END, {"end_s": end_s, "damaged": damaged, "cut_off": cut}))


def _decode(container: InputContainer, emit: Callable[[float, bytes], None]) -> tuple[float, float, int]:
    """(end of the last packet of any stream, end of the audio, both in seconds; how many packets cannot be decoded)."""
    stream = listenable(container)
    stream.codec_context.thread_count = 1
    # As ffmpeg does: the file begins where its first stream begins, whatever its timestamps count from.
    start_s = (container.start_time or 0) / 1e6
    sound, media_s, damaged = Sound(start_s, emit), 0.0, 0
    for packet in _packets(container):
        if packet is not None and packet.pts is not None and packet.time_base is not None:
            media_s = max(media_s, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start_s)
        if packet is not None and packet.stream is not stream:
            continue
        try:
            frames = stream.decode(packet)
        except EOFError:  # flushed already
            continue
        except NoMemory:
            raise
        except FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            sound.put(frame)
    sound.flush()
    return media_s, sound.end_s, damaged


def _packets(container: InputContainer) -> Iterator[Packet[Stream] | None]:
    """Every packet that can be read; a file that breaks off ends like one that is whole. At the end None, to flush."""
    try:
        yield from container.demux()
    except NoMemory:
        raise
    except FFmpegError:
        pass
    yield None


LOADED = (av.audio, av.subtitles, av.video)
"""av imports the insides of these when it meets a stream of that kind, which is too late for a sealed process."""

TASKS: Mapping[str, Task] = {"nothing": nothing, "probe": probe, "audio": audio}
"""By the names that `process.py` sends."""
