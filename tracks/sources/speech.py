"""The sentences that the demo speaks, and when.

Synthesised once by scripts/make_demo_speech.py; the package holds them as Opus, with the times as WebVTT.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from ..errors import SourceUnreachable

ASSETS = Path(__file__).with_name("assets")
SAMPLE_RATE_HZ = 48_000

Pcm = NDArray[np.int16]
"""(n,) int16, mono, 48 kHz."""

_CUE = re.compile(r"(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})\n(.+)")


@dataclass(frozen=True, slots=True)
class Caption:
    """One sentence and when it is spoken, in seconds from the start of a loop."""

    start_s: float
    end_s: float
    text: str


def captions(path: Path = ASSETS / "demo.vtt") -> Sequence[Caption]:
    """The captions of one loop, in order. Blocking: reads a small file.

    Raises SourceUnreachable when it cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreachable(f"the demo's captions {path} cannot be read: {error}") from error
    return [
        Caption(_seconds(*match.groups()[:3]), _seconds(*match.groups()[3:6]), match[7])
        for match in _CUE.finditer(text)
    ]


def speech(loop_s: float, path: Path = ASSETS / "demo.ogg") -> Pcm:
    """The sound of one loop, (loop_s * 48000,): speech, and silence wherever no caption is. Blocking, about 0.1 s.

    Raises SourceUnreachable when it cannot be read.
    """
    samples = np.zeros(round(loop_s * SAMPLE_RATE_HZ), np.int16)
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
            decoded = [
                frame.to_ndarray()[0]
                for part in (*container.decode(audio=0), None)
                for frame in resampler.resample(part)
            ]
    except (OSError, FFmpegError) as error:
        raise SourceUnreachable(f"the demo's speech {path} cannot be read: {error}") from error
    heard = np.concatenate(decoded)[: len(samples)]
    samples[: len(heard)] = heard
    return samples


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
