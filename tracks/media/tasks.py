"""What the child can do with its file: a function each, by the name that the server asks for. Runs in the child
only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import av.audio.codeccontext
import av.audio.stream
import av.sidedata.sidedata
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame

from ..errors import UnsupportedMedia
from . import wire
from .camera import camera
from .contents import (
    describe,
    is_stated,
    listenable,
    missing_bytes,
    open_file,
    packets,
    playable,
    start_of,
    too_long,
    watchable,
)
from .decoding import Decoder, is_of, seconds
from .examine import Examination
from .job import Job
from .projector import TAIL_S, Projector
from .sound import LISTENING, Sound

CUT_S, CUT_SHARE = 0.5, 0.02
"""A file that ends this much, and this share, before the end that it states is cut off. Encoders round and pad."""


def nothing(_job: Job) -> None:
    """Be ready, and no more: shows which limits hold here."""


def probe(job: Job) -> None:
    """Tell what is in the file."""
    with open_file(job.fd, job.limits) as container:
        info = describe(container, job.limits)
        if info["video"] and not info["video"]["width"] * info["video"]["height"]:
            raise UnsupportedMedia(
                f"the size of its picture cannot be told, or is far beyond {job.limits.max_pixels} pixels"
            )
        job.send(wire.pack_json(wire.INFO, info))


def examine(job: Job) -> None:
    """Tell what is in the file by its own word, then what turns out to be in it, and how it ends."""
    lacking = missing_bytes(job.fd)
    with open_file(job.fd, job.limits) as container:
        info = describe(container, job.limits)
        found = Examination(container, *playable(container), job.limits)
        job.send(wire.pack_json(wire.INFO, info))
        found.run()
        stated_s = _stated(container, info["duration_s"])
    if found.size is not None:
        info["video"]["width"], info["video"]["height"] = found.size
    job.send(wire.pack_json(wire.INFO, {**info, "duration_s": found.end_s}))
    cut = lacking > 0 or _is_cut(stated_s, max(found.packets_end_s, found.end_s))
    job.send(wire.pack_json(wire.END, {"end_s": found.end_s, "damaged": 0, "cut_off": cut}))


def audio(job: Job) -> None:
    """Tell what is in the file, then its sound for a recogniser, then how it ended."""

    def emit(start_s: float, samples: bytes) -> None:
        if start_s + len(samples) / wire.SAMPLE_BYTES / wire.SAMPLE_RATE > job.limits.max_duration_s + TAIL_S:
            raise too_long(job.limits.max_duration_s, job.limits)
        job.send(wire.pack(wire.AUDIO, wire.TIME.pack(start_s) + samples))

    lacking = missing_bytes(job.fd)
    with open_file(job.fd, job.limits) as container:
        info = describe(container, job.limits)
        listenable(container)
        job.send(wire.pack_json(wire.INFO, info))
        media_s, end_s, damaged = _decode(container, emit)
        stated_s = _stated(container, info["duration_s"])
    cut = lacking > 0 or _is_cut(stated_s, max(media_s, end_s))
    if end_s == 0.0:
        raise UnsupportedMedia(f"nothing of its audio can be decoded: it is {'cut off' if cut else 'empty or damaged'}")
    job.send(wire.pack_json(wire.END, {"end_s": end_s, "damaged": damaged, "cut_off": cut}))


def film(job: Job) -> None:
    """Tell what is in the file, then show its pictures and play its sound, as far as wanted, then tell how it ended."""

    def show(at_s: float, frame: VideoFrame) -> None:
        assert job.slots is not None
        slot, width, height = job.slots.put(frame)
        job.send(wire.pack(wire.PICTURE, wire.PLACE.pack(slot, at_s, width, height)))

    def emit(start_s: float, samples: bytes) -> None:
        job.send(wire.pack(wire.PLAY, wire.TIME.pack(start_s) + samples))

    with open_file(job.fd, job.limits) as container:
        info = describe(container, job.limits)
        video = watchable(container) if job.slots is not None and info["video"] else None
        audio = listenable(container) if job.sound and info["audio"] else None
        job.send(wire.pack_json(wire.INFO, info))
        projector = Projector(container, video, audio, job.limits, show, emit)
        projector.run()
        cut = _is_cut(_stated(container, info["duration_s"]), projector.end_s)
    end = {"end_s": projector.end_s, "damaged": projector.damaged, "cut_off": cut}
    job.send(wire.pack_json(wire.END, end))


def _decode(container: InputContainer, emit: Callable[[float, bytes], None]) -> tuple[float, float, int]:
    """(end of the last packet of any stream, end of the audio, both in seconds; how many packets cannot be decoded)."""
    decoder = Decoder(listenable(container))
    start_s = start_of(container)
    sound, media_s = Sound(LISTENING, emit), 0.0
    for packet in packets(container):
        if packet is not None and (stamp := seconds(packet.pts, packet)) is not None:
            media_s = max(media_s, stamp + (seconds(packet.duration, packet) or 0.0) - start_s)
        if is_of(packet, decoder.stream):
            for frame in decoder.decode(packet):
                assert isinstance(frame, AudioFrame)
                at_s = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
                sound.put(frame, None if at_s is None else at_s - start_s)
    sound.flush()
    return media_s, sound.end_s, decoder.damaged


def _stated(container: InputContainer, duration_s: float | None) -> float:
    return (duration_s or 0.0) if is_stated(container) else 0.0


def _is_cut(stated_s: float, end_s: float) -> bool:
    return stated_s - end_s > max(CUT_S, CUT_SHARE * stated_s)


LOADED = (av.audio, av.sidedata, av.subtitles, av.video)
"""av imports the insides of these when it meets a stream of that kind, which is too late for a sealed process."""

TASKS: Mapping[str, Callable[[Job], None]] = {
    "nothing": nothing,
    "probe": probe,
    "examine": examine,
    "audio": audio,
    "film": film,
    "camera": camera,
}
"""By the names that `process.py` sends."""
