"""Whether a file can be played, found out without playing it: its first picture and sound, and where it ends. Runs in
the child only."""

from __future__ import annotations

from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..errors import UnsupportedMedia
from .contents import packets, start_of, too_long, too_many_pixels
from .decoding import Decoder, is_of, seconds
from .limits import Limits
from .projector import TAIL_S
from .timeline import Timeline
from .upright import Upright


class Examination:
    """Reads all packets of a file and decodes only the first of each kind; takes 1 s for an hour of media or so."""

    def __init__(
        self, container: InputContainer, video: VideoStream | None, audio: AudioStream | None, limits: Limits
    ) -> None:
        self._container = container
        self._streams: dict[str, AudioStream | VideoStream] = {}
        if video is not None:
            self._streams["video"] = video
        if audio is not None:
            self._streams["audio"] = audio
        self._limits = limits
        self._start_s = start_of(container)
        self._timeline = Timeline(self._start_s)
        self._unseen = {kind: Decoder(stream) for kind, stream in self._streams.items()}
        self.packets_end_s = 0.0
        """Timestamp of the end of the last packet of any stream, on the file's own word."""
        self.size: tuple[int, int] | None = None
        """Of the first picture, the right way up."""

    @property
    def end_s(self) -> float:
        """Media time where picture and sound end."""
        return self._timeline.end_s

    def run(self) -> None:
        """Read all of it. Raises PayloadTooLarge; UnsupportedMedia when nothing of a stream can be decoded."""
        for packet in packets(self._container):
            if packet is not None:
                stamp = seconds(packet.pts if packet.dts is None else packet.dts, packet)
                length_s = seconds(packet.duration, packet) or 0.0
                if stamp is not None:
                    self.packets_end_s = max(self.packets_end_s, stamp + length_s - self._start_s)
                    self._place(packet.stream, stamp, length_s)
            for kind, decoder in tuple(self._unseen.items()):
                if is_of(packet, decoder.stream):
                    for frame in decoder.decode(packet)[:1]:
                        self._see(frame)
                        del self._unseen[kind]
        for kind in self._unseen:
            what = "picture" if kind == "video" else "sound"
            raise UnsupportedMedia(f"nothing of its {what} can be decoded: it is cut off, empty or damaged")

    def _place(self, stream: object, stamp_s: float, length_s: float) -> None:
        for kind, each in self._streams.items():
            if each is stream:
                at_s = self._timeline.place(kind, stamp_s, length_s)
                if at_s > self._limits.max_duration_s + TAIL_S:
                    raise too_long(self._limits.max_duration_s, self._limits)

    def _see(self, frame: Any) -> None:
        if isinstance(frame, VideoFrame):
            if frame.width * frame.height > self._limits.max_pixels:
                raise too_many_pixels(frame.width, frame.height, self._limits)
            upright = Upright()(frame)
            self.size = upright.width & ~1, upright.height & ~1
