"""Picture and sound of a file decoded side by side, in the order in which they lie in it. Runs in the child only."""

from __future__ import annotations

from collections.abc import Callable

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .contents import packets, start_of, too_long, too_many_pixels
from .decoding import Decoder, is_of
from .limits import Limits
from .sound import PLAYING, Emit, Sound
from .timeline import Timeline
from .upright import Upright
from .wire import PLAY_RATE, SAMPLE_BYTES

Show = Callable[[float, VideoFrame], None]
"""(media time in seconds, yuv420p)."""

LEAST_S = 1e-4
"""Two pictures are at least so far apart: one tick of 90 kHz is less."""
TAIL_S = 0.5
"""So much longer than the cap a file may turn out to be: encoders round and pad."""


class Projector:
    """Shows a file once, from the beginning to the end. Media times rise, whatever its timestamps do."""

    def __init__(
        self,
        container: InputContainer,
        video: VideoStream | None,
        audio: AudioStream | None,
        limits: Limits,
        show: Show,
        emit: Emit,
    ) -> None:
        self._container = container
        self._limits = limits
        self._show = show
        self._emit = emit
        self._video = None if video is None else Decoder(video)
        rate = None if video is None else video.average_rate
        self._length_s = 1 / float(rate) if rate else 0.0
        """Of a picture, on average."""
        self._audio = None if audio is None else Decoder(audio)
        self._upright = Upright()
        self._sound = Sound(PLAYING, self._play)
        self._timeline = Timeline(start_of(container))
        self._shown_s = -1.0
        self._late = 0
        self.pictures = 0
        """That were shown."""

    @property
    def end_s(self) -> float:
        """Media time of the end of what was shown and played."""
        return max(self._timeline.end_s, self._sound.end_s)

    @property
    def damaged(self) -> int:
        """Packets that could not be decoded, and pictures whose time had passed."""
        decoders = [each for each in (self._video, self._audio) if each is not None]
        return self._late + sum(each.damaged for each in decoders)

    def run(self) -> None:
        """Decode all of it. Raises PayloadTooLarge for what turns out to be longer, or larger, than is taken."""
        for packet in packets(self._container):
            if self._video is not None and is_of(packet, self._video.stream):
                for picture in self._video.decode(packet):
                    assert isinstance(picture, VideoFrame)
                    self._look(picture)
            if self._audio is not None and is_of(packet, self._audio.stream):
                for frame in self._audio.decode(packet):
                    assert isinstance(frame, AudioFrame)
                    self._listen(frame)
        self._sound.flush()

    def _look(self, picture: VideoFrame) -> None:
        if picture.width * picture.height > self._limits.max_pixels:
            raise too_many_pixels(picture.width, picture.height, self._limits)
        stamp = picture.dts if picture.pts is None else picture.pts
        if stamp is None or picture.time_base is None:
            at_s = max(0.0, self._shown_s + self._length_s)
        else:
            at_s = self._timeline.place("video", float(stamp * picture.time_base), self._length_s)
        self._check(at_s)
        if at_s < self._shown_s + LEAST_S:
            self._late += 1
            return
        self._shown_s = at_s
        self.pictures += 1
        self._show(at_s, self._upright(picture))

    def _listen(self, frame: AudioFrame) -> None:
        at_s = None
        if frame.pts is not None and frame.time_base is not None:
            at_s = self._timeline.place("audio", float(frame.pts * frame.time_base), frame.samples / frame.sample_rate)
        self._sound.put(frame, at_s)

    def _play(self, start_s: float, samples: bytes) -> None:
        self._check(start_s + len(samples) / SAMPLE_BYTES / PLAY_RATE)
        self._emit(start_s, samples)

    def _check(self, at_s: float) -> None:
        if at_s > self._limits.max_duration_s + TAIL_S:
            raise too_long(self._limits.max_duration_s, self._limits)
