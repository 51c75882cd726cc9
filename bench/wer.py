"""How many words a recogniser gets wrong, and how long it takes: `python -m bench.wer [CHOICE]`.

What is heard is real speech from the shared material and sentences that flite and espeak-ng speak, clean and in noise.
The live path can be measured on the same clips, and compared with the engine by itself.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from tracks.asr import Asr
from tracks.asr.load import load_recogniser
from tracks.registry import Registry
from tracks.types import SAMPLE_RATE, Samples, Utterance

MEDIA = Path(os.environ.get("TEST_SHARED_DIR") or Path(__file__).parents[2] / "shared") / "media"
NOISE_DB = (None, 20.0, 10.0)
"""Signal to noise; None: clean."""
SPEAKERS = (("flite", "slt"), ("flite", "rms"), ("flite", "awb"), ("espeak-ng", "en-us"))

RECORDINGS = (
    (
        "jfk.flac",
        None,
        "and so my fellow americans ask not what your country can do for you ask what you can do for your country",
    ),
    (
        "two-speakers.wav",
        0,
        "he began a confused complaint against the wizard who had vanished behind the curtain on the left",
    ),
    ("two-speakers.wav", 1, "the horizon seems extremely distant"),
    ("hotwords.mp3", None, "then you go into your comfy u i folder again in the comfy u i"),
)
"""File, channel (None: mixed), and what is said."""

SENTENCES = (
    "this is a street in the old part of the city with a small electric bus",
    "the weather is very nice today and we will go to the park in the afternoon",
    "please open the door and wait for me in the kitchen",
    "he said that the meeting would begin at nine in the morning",
    "two people are standing in front of the house and a third one is walking past",
    "she wrote a long letter to her brother and never sent it",
    "the train to the north was late because of the snow",
    "there are many things that we can learn from the people who lived here before us",
    "my father worked in this office for more than thirty years and knew everybody",
    "if you want to see the whole city you should go up to the top of the tower",
    "nobody could say how many of them had been there that night",
    "we have not found the key yet but it must be somewhere in this room",
)


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to hear, and what is said in it."""

    name: str
    samples: Samples
    reference: str


@dataclass(frozen=True, slots=True)
class Errors:
    """How a hypothesis differs from what was said."""

    wrong: int
    """Substitutions, deletions and insertions."""
    words: int
    """Of the reference."""

    @property
    def rate(self) -> float:
        """The word error rate; 0 where nothing was said and nothing heard."""
        return self.wrong / self.words if self.words else float(self.wrong > 0)

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.wrong + other.wrong, self.words + other.words)


def word_errors(reference: str, hypothesis: str) -> Errors:
    """The least number of words to substitute, delete and insert; neither case nor punctuation counts."""
    said, heard = spoken_words(reference), spoken_words(hypothesis)
    distances = list(range(len(heard) + 1))
    for row, word in enumerate(said, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(heard, 1):
            substituted = diagonal + (word != other)
            diagonal = distances[column]
            distances[column] = min(substituted, diagonal + 1, distances[column - 1] + 1)
    return Errors(distances[-1], len(said))


def spoken_words(text: str) -> list[str]:
    """The words of a text, in lower case, without punctuation; apostrophes stay."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def clips(media: Path = MEDIA) -> Iterator[Clip]:
    """The recordings, where they are at hand, and the spoken sentences, where the speakers are. Blocking."""
    for file, channel, reference in RECORDINGS:
        if (media / file).is_file():
            name = file if channel is None else f"{file} channel {channel}"
            yield Clip(name, read(media / file, channel), reference)
    with tempfile.TemporaryDirectory() as folder:
        for index, sentence in enumerate(SENTENCES):
            program, voice = SPEAKERS[index % len(SPEAKERS)]
            if shutil.which(program) is None:
                continue
            samples = speak(program, voice, sentence, Path(folder) / "spoken.wav")
            for decibels in NOISE_DB:
                label = "clean" if decibels is None else f"{decibels:g} dB"
                yield Clip(f"{program} {voice} {index} {label}", noisy(samples, decibels, index), sentence)


def speak(program: str, voice: str, sentence: str, path: Path) -> Samples:
    """A sentence by flite or espeak-ng, with half a second of silence on both sides. Blocking."""
    if program == "flite":
        command = [program, "-voice", voice, "-t", sentence, "-o", str(path)]
    else:
        command = [program, "-v", voice, "-s", "150", "-w", str(path), sentence]
    subprocess.run(command, check=True, capture_output=True)
    return np.concatenate([np.zeros(SAMPLE_RATE // 2, np.float32), padded(read(path), 0.5)])


def padded(samples: Samples, seconds: float) -> Samples:
    """The samples with so much silence behind them."""
    return np.concatenate([samples, np.zeros(round(seconds * SAMPLE_RATE), np.float32)])


def noisy(samples: Samples, decibels: float | None, seed: int) -> Samples:
    """The samples with white noise so far below their own level; always the same noise for a seed."""
    if decibels is None:
        return samples
    level = float(np.sqrt(np.mean(np.square(samples)))) * 10 ** (-decibels / 20)
    noise = np.random.default_rng(seed).normal(0, level, len(samples))
    return np.clip(samples + noise, -1, 1).astype(np.float32)


def read(path: Path, channel: int | None = None) -> Samples:
    """The sound of a file at 16 kHz: one channel, or all of them mixed. Blocking."""
    with av.open(str(path)) as container:
        layout = "mono" if channel is None else "stereo"
        resampler = av.AudioResampler("fltp", layout, SAMPLE_RATE)
        frames = [frame for part in (*container.decode(audio=0), None) for frame in resampler.resample(part)]
    return np.concatenate([frame.to_ndarray()[channel or 0] for frame in frames])


def measure(asr: Asr, heard: Sequence[Clip]) -> Errors:
    """Each clip as one utterance, printed as it goes; the errors of all of them."""
    pooled, sound_s, took_s = Errors(0, 0), 0.0, 0.0
    for clip in heard:
        length_s = len(clip.samples) / SAMPLE_RATE
        started_s = time.monotonic()
        transcript = asr.transcribe(Utterance(clip.samples, 0.0, length_s))
        sound_s, took_s = sound_s + length_s, took_s + time.monotonic() - started_s
        errors = word_errors(clip.reference, transcript.text)
        pooled += errors
        print(f"{clip.name:32} {errors.rate:6.1%} of {errors.words:3}  {transcript.text}")
    factor = took_s / sound_s
    print(f"{asr.info.name}: {pooled.rate:.1%} of {pooled.words} words wrong, {factor:.2f} s for a second of sound")
    return pooled


def main() -> None:
    """Measure one recogniser."""
    parser = argparse.ArgumentParser(prog="python -m bench.wer", description=__doc__)
    parser.add_argument("choice", nargs="?", default="auto", help="as VEDETTE_ASR (auto)")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args()
    asr = load_recogniser(options.choice, registry=Registry.load(), data_dir=options.data_dir, report=print)
    try:
        measure(asr, list(clips()))
    finally:
        asr.close()


if __name__ == "__main__":
    main()
