"""The demo source: photographs seen by a moving camera, and a voice that says what they show. Needs no network.

Everything is rendered and paced by whoever reads a track: a track that nobody reads costs nothing and holds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av import AudioFrame, VideoFrame

from .camera import CameraPath, Stop, View
from .gallery import LOOKING_ON, POINTING, WALKING, WIDTH, hang, photographs
from .pace import Beat, Pace
from .panorama import Panorama
from .speech import SAMPLE_RATE_HZ, Caption, Pcm, captions, speech

SIZE = (1280, 720)
FRAME_RATE_HZ = 30
LOOP_S = 30.0
"""Picture and sound repeat themselves together."""
PACKET_RATE_HZ = 50
"""Audio frames a second, 20 ms each."""
PACKET_SAMPLES = SAMPLE_RATE_HZ // PACKET_RATE_HZ
PATIENCE_PACKETS = 10
"""Audio that is up to 0.2 s late is handed on, since receivers buffer that much and every gap is heard."""
SMOOTHING_S = 2.0
"""How long the camera takes to follow a corner of its path."""

_MEN = (WALKING.left + 320, WALKING.top + 650)
"""Between the men who cross the street, in pixels of the wall."""
_PAIR = ((POINTING.left + LOOKING_ON.left + LOOKING_ON.size[0]) / 2, POINTING.top + POINTING.size[1] / 2)
"""The middle of the two prints side by side."""

# Chosen by measuring: the bundled detector finds people who are 0.6 to 0.9 of the picture's height, and loses them
# close up. Along this path each of the five who are not cut off at a left edge enters once a loop, and nothing else.
STOPS = (
    Stop(0.0, View(_MEN[0], _MEN[1], 1.15)),
    Stop(12.0, View(_MEN[0] + 100, _MEN[1], 1.28)),
    Stop(16.0, View(_PAIR[0] - 20, _PAIR[1], 0.92)),
    Stop(26.0, View(_PAIR[0] + 20, _PAIR[1], 1.0)),
)


class DemoVideo(MediaStreamTrack):
    """The moving picture; every frame is rendered on a thread ahead of its time, and handed out when it is due."""

    kind = "video"

    def __init__(self, pace: Pace, panorama: Panorama, path: CameraPath) -> None:
        super().__init__()
        self._beat = Beat(pace, FRAME_RATE_HZ)
        self._panorama = panorama
        self._path = path

    async def recv(self) -> VideoFrame:
        """The next frame, 1280x720 yuv420p; those that are past are skipped. Raises MediaStreamError once closed."""
        _live(self)
        number = self._beat.next()
        frame = await asyncio.to_thread(self._panorama.render, self._path(number))
        await self._beat.due()
        _live(self)
        frame.pts, frame.time_base = number * VIDEO_CLOCK_RATE // FRAME_RATE_HZ, VIDEO_TIME_BASE
        return frame


class DemoAudio(MediaStreamTrack):
    """The voice, with silence between the sentences."""

    kind = "audio"

    def __init__(self, pace: Pace, samples: Pcm) -> None:
        super().__init__()
        self._beat = Beat(pace, PACKET_RATE_HZ, PATIENCE_PACKETS)
        self._packets = samples.reshape(-1, 1, PACKET_SAMPLES)

    async def recv(self) -> AudioFrame:
        """The next 20 ms, s16 mono at 48 kHz. Raises MediaStreamError once closed."""
        _live(self)
        number = self._beat.next()
        await self._beat.due()
        _live(self)
        frame = AudioFrame.from_ndarray(self._packets[number % len(self._packets)], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts, frame.time_base = number * PACKET_SAMPLES, Fraction(1, SAMPLE_RATE_HZ)
        return frame


class DemoSource:
    """A `Source` without end."""

    def __init__(self, video: DemoVideo, audio: DemoAudio, spoken: Sequence[Caption]) -> None:
        self._video = video
        self._audio = audio
        self._spoken = spoken

    @property
    def video(self) -> MediaStreamTrack:
        """The picture."""
        return self._video

    @property
    def audio(self) -> MediaStreamTrack:
        """The sound."""
        return self._audio

    @property
    def failure(self) -> None:
        """Nothing that it plays can fail."""
        return None

    def captions(self) -> Sequence[Caption]:
        """What is said in one loop of `LOOP_S` seconds, and when."""
        return self._spoken

    async def close(self) -> None:
        """End both tracks; whoever waits in `recv` is told within one frame."""
        self._video.stop()
        self._audio.stop()


async def open_demo(*, folder: Path | None = None, pace: Pace | None = None) -> DemoSource:
    """Open the demo; takes about half a second, on a thread.

    `folder` holds the photographs (default: ultralytics' own), `pace` is the clock of both tracks. Raises
    SourceUnreachable, saying what is missing, when a photograph or the speech cannot be read.
    """
    pace = pace or Pace()
    path = CameraPath(STOPS, loop_s=LOOP_S, period=WIDTH, rate_hz=FRAME_RATE_HZ, window_s=SMOOTHING_S)

    def load() -> tuple[Panorama, Pcm, Sequence[Caption]]:
        wall = hang(folder or photographs())
        return Panorama(wall, SIZE, min(stop.view.scale for stop in STOPS)), speech(LOOP_S), captions()

    panorama, samples, spoken = await asyncio.to_thread(load)
    return DemoSource(DemoVideo(pace, panorama, path), DemoAudio(pace, samples), spoken)


def _live(track: MediaStreamTrack) -> None:
    if track.readyState != "live":
        raise MediaStreamError
