"""One stream of a file, decoded packet by packet, whatever is in the packets. Runs in the child only."""

from __future__ import annotations

from collections.abc import Sequence

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.error import MemoryError as NoMemory
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class Decoder:
    """Decodes a stream on this thread alone: another one's stack would count against the child's memory."""

    def __init__(self, stream: AudioStream | VideoStream) -> None:
        self.stream: AudioStream | VideoStream = stream
        self.damaged = 0
        """Packets that could not be decoded."""
        stream.codec_context.thread_count = 1

    def decode(self, packet: Packet[Stream] | None) -> Sequence[AudioFrame | VideoFrame]:
        """What a packet completes; None at the end. Raises NoMemory."""
        try:
            frames: Sequence[AudioFrame | VideoFrame] = self.stream.decode(packet)
            return frames
        except EOFError:  # flushed already
            return []
        except NoMemory:
            raise
        except FFmpegError:
            self.damaged += 1
            return []


def is_of(packet: Packet[Stream] | None, stream: Stream | None) -> bool:
    """Whether a packet belongs to a stream; None, which flushes, belongs to all."""
    return stream is not None and (packet is None or packet.stream is stream)


def seconds(stamp: int | None, packet: Packet[Stream]) -> float | None:
    """A timestamp of a packet."""
    return None if stamp is None or packet.time_base is None else float(stamp * packet.time_base)
