"""From audio frames as they come to windows of 16 kHz mono, each with its time on the session clock.

The frames' own pts say whether anything is missing, media time says when it was. A hole of less than `GAP_S` becomes
silence, so that a word before and one after it stay as far apart as they were; a longer one is reported. What comes
twice is taken once. pts that stray a little from the number of samples are a clock that drifts, or one that is read
imprecisely: no sample is added or taken away then, the times are drawn after it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from av import AudioFrame
from av.audio.resampler import AudioResampler

from .types import SAMPLE_RATE, Samples
from .vad import WINDOW_SAMPLES

GAP_S = 1.0
"""A hole from here on ends an utterance (CONTRACT 5)."""
STRAY_S = 0.03
"""pts this near to what the samples count up to are continuous: a lost frame of 20 ms, or a clock read by software."""
FOLLOW = 0.1
"""Part of such a difference that the times take over with each frame: of a drift of 1,000 ppm 0.2 ms remain."""


class Window(NamedTuple):
    """`WINDOW_SAMPLES` samples."""

    samples: Samples
    start_s: float
    """Media time of the first one."""


class Gap(NamedTuple):
    """Nothing was heard for `GAP_S` or longer; what comes next does not follow on what was."""

    end_s: float
    """Media time at which sound goes on."""


class Resampler:
    """Takes the frames of one stream, in order, of any rate, layout and format, which may change between two frames.

    About 35 µs for 20 ms of 48 kHz stereo, so it runs on the event loop. FFmpeg mixes in 16 bits, where two channels
    give their mean: its floating-point mixes may leave -1 to 1.
    """

    def __init__(self) -> None:
        self._convert: AudioResampler | None = None
        self._shape: tuple[str, str, int] | None = None
        self._pending: Samples = np.zeros(0, np.float32)
        """Samples that do not fill a window yet."""
        self._origin_s = 0.0
        """pts, in seconds, at which the stretch began that has no hole."""
        self._taken_s = 0.0
        """Sound taken in since then."""
        self._newest_s = 0.0
        """pts of the newest frame, in seconds."""
        self._given = 0
        """Samples of it that have been given out, less those that were pending when it began."""
        self._skip = 0
        """Samples that have been heard already."""
        self._offset_s = 0.0
        """Media time less pts."""
        self._continues = False

    def push(self, frame: AudioFrame, media_s: float) -> list[Window | Gap]:
        """Take the next frame, whose media time is `media_s` and which has a pts; returns what that completes."""
        assert frame.pts is not None
        assert frame.time_base is not None
        if not frame.samples or not frame.sample_rate:
            return []
        pts_s = float(frame.pts * frame.time_base)
        length_s = frame.samples / frame.sample_rate
        stray_s = pts_s - self._origin_s - self._taken_s
        out: list[Window | Gap] = []
        if not self._continues or stray_s >= GAP_S or stray_s <= -GAP_S:
            if self._continues:
                out += self.flush()
                out.append(Gap(media_s))
            self._begin(frame, pts_s, 0)
        elif stray_s > STRAY_S:
            self._drain()
            self._hold(np.zeros(round(stray_s * SAMPLE_RATE), np.float32))
            out += self._windows()
            self._begin(frame, pts_s, 0)
        elif pts_s <= self._newest_s and -stray_s > length_s - 1e-6:
            return []  # all of it has been heard
        elif stray_s < -STRAY_S:
            self._drain()
            self._begin(frame, pts_s, round(-stray_s * SAMPLE_RATE))
        elif self._shape != _shape(frame):
            self._drain()
            self._begin(frame, pts_s, 0)
        else:
            self._origin_s += stray_s * FOLLOW
        self._newest_s = pts_s
        self._offset_s = media_s - pts_s
        self._taken_s += length_s
        self._resample(frame)
        return out + self._windows()

    def flush(self) -> list[Window | Gap]:
        """The stream ends, or has a gap: the rest of it, filled up with silence to a whole window."""
        self._drain()
        if len(self._pending):
            self._hold(np.zeros(-len(self._pending) % WINDOW_SAMPLES, np.float32))
        self._continues = False
        return self._windows()

    def _begin(self, frame: AudioFrame, pts_s: float, skip: int) -> None:
        """A stretch without holes begins with this frame, of which the first `skip` samples (of 16 kHz) are known."""
        self._convert = AudioResampler("s16", "mono", SAMPLE_RATE)
        self._shape = _shape(frame)
        self._origin_s, self._taken_s = pts_s, 0.0
        self._skip, self._given = skip, skip - len(self._pending)
        self._continues = True

    def _resample(self, frame: AudioFrame | None) -> None:
        if self._convert is not None:
            for part in self._convert.resample(frame):
                self._hold(part.to_ndarray()[0].astype(np.float32) / 32768)

    def _drain(self) -> None:
        """Take what the filter still holds: it looks 1 ms ahead."""
        self._resample(None)
        self._convert = None

    def _hold(self, samples: Samples) -> None:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        self._pending = np.concatenate([self._pending, samples[skipped:]])

    def _windows(self) -> list[Window | Gap]:
        windows: list[Window | Gap] = []
        while len(self._pending) >= WINDOW_SAMPLES:
            start_s = self._origin_s + self._offset_s + self._given / SAMPLE_RATE
            windows.append(Window(self._pending[:WINDOW_SAMPLES], max(0.0, start_s)))
            self._pending = self._pending[WINDOW_SAMPLES:]
            self._given += WINDOW_SAMPLES
        return windows


def _shape(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
