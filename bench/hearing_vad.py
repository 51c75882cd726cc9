"""What listening costs without a recogniser, and when it finds speech: `python -m bench.hearing_vad FILE…`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import AudioFrame
from numpy.typing import NDArray

from tracks.resample import Resampler, Window
from tracks.segmenter import Change, Segmenter, SegmenterOptions, Started, Stopped
from tracks.types import SAMPLE_RATE, Samples
from tracks.vad.silero import SileroVad

RATE_HZ = 48_000
PACKET_SAMPLES = RATE_HZ // 50


@dataclass(frozen=True, slots=True)
class Listening:
    """Of what one file holds."""

    seconds: float
    core: float
    """CPU time for each second of sound: the part of a core that a live session takes."""
    call_ms: tuple[float, float]
    """(median, 99th percentile) of what one frame of 20 ms takes, on the wall's clock."""
    spoken: Sequence[tuple[float, float]]
    """(begin, end) of speech in seconds of the file."""


def listen(frames: Sequence[AudioFrame], options: SegmenterOptions) -> Listening:
    """Hear frames of 20 ms as a live session does, but as fast as it goes. Blocking."""
    resampler, voice, segmenter = Resampler(), SileroVad().stream(), Segmenter(options)
    changes: list[Change] = []
    calls_s = []
    cpu_s = time.thread_time()
    for number, frame in enumerate(frames):
        began_s = time.perf_counter()
        for heard in resampler.push(frame, number * PACKET_SAMPLES / RATE_HZ):
            if isinstance(heard, Window):
                changes += segmenter.push(heard.samples, voice.probability(heard.samples), heard.start_s)
        calls_s.append(time.perf_counter() - began_s)
    cpu_s = time.thread_time() - cpu_s
    changes += segmenter.flush()
    median_s, late_s = np.percentile(calls_s, (50, 99))
    seconds = len(frames) * PACKET_SAMPLES / RATE_HZ
    begins = [change.at_s for change in changes if isinstance(change, Started)]
    ends = [change.at_s for change in changes if isinstance(change, Stopped)]
    spoken = list(zip(begins, ends, strict=True))
    return Listening(seconds, cpu_s / seconds, (float(median_s) * 1000, float(late_s) * 1000), spoken)


def packets(path: Path) -> list[AudioFrame]:
    """A file's sound as an Opus decoder would give it; a rest of less than 20 ms is left out. Blocking."""
    resampler = av.AudioResampler("s16", "stereo", RATE_HZ)
    with av.open(str(path)) as container:
        pcm = np.concatenate(
            [part.to_ndarray()[0] for frame in (*container.decode(audio=0), None) for part in resampler.resample(frame)]
        )
    return packed(pcm)


def packets_of(samples: Samples) -> list[AudioFrame]:
    """Sound of 16 kHz as a client would send it."""
    frame = AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), 0
    resampler = av.AudioResampler("s16", "stereo", RATE_HZ)
    return packed(np.concatenate([part.to_ndarray()[0] for each in (frame, None) for part in resampler.resample(each)]))


def packed(pcm: NDArray[np.int16]) -> list[AudioFrame]:
    """Interleaved stereo at 48 kHz as frames of 20 ms; a rest of less than that is left out."""
    size = 2 * PACKET_SAMPLES
    frames = []
    for number in range(len(pcm) // size):
        frame = AudioFrame.from_ndarray(pcm[None, number * size : (number + 1) * size], format="s16", layout="stereo")
        frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        frame.pts = number * PACKET_SAMPLES
        frames.append(frame)
    return frames


def main() -> None:
    """Print the figures of the files that are named."""
    for name in sys.argv[1:]:
        heard = listen(packets(Path(name)), SegmenterOptions(min_silence_s=1.2))
        spoken = ", ".join(f"{begin:.2f} to {end:.2f} s" for begin, end in heard.spoken)
        median_ms, late_ms = heard.call_ms
        print(f"{name}: {heard.seconds:.1f} s, {heard.core:.4f} core, {median_ms:.2f} ms a frame (p99 {late_ms:.2f})")
        print(f"  speech: {spoken or 'none'}")


if __name__ == "__main__":
    main()
