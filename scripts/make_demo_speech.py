"""Speaks the demo's sentences once and writes tracks/sources/assets: demo.ogg, demo.vtt and demo.txt.

Needs flite (Debian: `apt-get install flite`). Run it from the repository after a change of the sentences:
`python -m scripts.make_demo_speech`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tracks.sources.demo import LOOP_S
from tracks.sources.speech import ASSETS, SAMPLE_RATE_HZ

VOICE = "slt"
SENTENCES = (
    # (when it is spoken, in seconds of the loop; what is seen then)
    (0.8, "This is a street in Madrid, with a small electric bus."),
    (5.4, "Two men in sunglasses are walking past it."),
    (9.2, "Two more people are cut off by the edges of the picture."),
    (16.6, "And here are two men in dark suits, in front of a crowd."),
    (21.4, "One of them shouts and points, while the other looks on."),
)
PEAK = 0.6
SILENCE = 0.004
"""Of full scale: quieter than this, before and after a sentence, is cut off."""
MARGIN_S = 0.02
"""What is left around a sentence, so that no breath is cut."""
BIT_RATE = 32_000

Samples = NDArray[np.float32]
"""(n,) float32, mono, 48 kHz, -1 to 1."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence on the loop."""

    start_s: float
    end_s: float
    text: str


def synthesise(text: str) -> Samples:
    """The sentence in flite's voice, resampled, without the silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentence.wav"
        subprocess.run(["flite", "-voice", VOICE, "-t", text, "-o", str(path)], check=True)
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
            parts = [
                frame.to_ndarray()[0]
                for part in (*container.decode(audio=0), None)
                for frame in resampler.resample(part)
            ]
    samples = np.concatenate(parts)
    samples *= PEAK / np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    margin = round(MARGIN_S * SAMPLE_RATE_HZ)
    cut: Samples = samples[max(0, loud[0] - margin) : loud[-1] + margin].copy()
    fade = np.linspace(0, 1, margin, dtype=np.float32)
    cut[:margin] *= fade
    cut[-margin:] *= fade[::-1]
    return cut


def lay_out() -> tuple[Samples, list[Spoken]]:
    """One loop of sound, and what is said when. Raises ValueError when sentences run into each other."""
    loop = np.zeros(round(LOOP_S * SAMPLE_RATE_HZ), np.float32)
    spoken: list[Spoken] = []
    for start_s, text in SENTENCES:
        samples = synthesise(text)
        end_s = start_s + len(samples) / SAMPLE_RATE_HZ
        if end_s > LOOP_S - 0.5 or (spoken and start_s < spoken[-1].end_s + 0.3):
            raise ValueError(f"no room for {text!r} at {start_s} to {end_s:.2f} s")
        first = round(start_s * SAMPLE_RATE_HZ)
        loop[first : first + len(samples)] = samples
        spoken.append(Spoken(start_s, end_s, text))
    return loop, spoken


def write_opus(samples: Samples, path: Path, *, rate_hz: int = SAMPLE_RATE_HZ, bit_rate: int = BIT_RATE) -> None:
    """Encode as Opus in Ogg."""
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=rate_hz, layout="mono")
        stream.bit_rate = bit_rate
        size = rate_hz // 50
        for first in range(0, len(samples), size):
            pcm = np.rint(samples[first : first + size] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def timestamp(seconds: float) -> str:
    """WebVTT's way to write a time."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def main() -> None:
    """Write the three files."""
    ASSETS.mkdir(exist_ok=True)
    try:
        samples, spoken = lay_out()
    except FileNotFoundError:
        sys.exit("flite is not installed: apt-get install flite")
    write_opus(samples, ASSETS / "demo.ogg")
    cues = [f"{timestamp(each.start_s)} --> {timestamp(each.end_s)}\n{each.text}\n" for each in spoken]
    (ASSETS / "demo.vtt").write_text("\n".join(["WEBVTT\n", *cues]), "utf-8")
    (ASSETS / "demo.txt").write_text("".join(f"{each.text}\n" for each in spoken), "utf-8")
    for each in spoken:
        print(f"{each.start_s:6.2f} to {each.end_s:6.2f} s  {each.text}")
    print(f"{(ASSETS / 'demo.ogg').stat().st_size} bytes of Opus")


if __name__ == "__main__":
    main()
