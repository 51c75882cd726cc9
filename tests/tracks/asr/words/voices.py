"""The words as flite and espeak-ng say them, alone and in phrases, and where in the sound each of them is.

Needs both programs (Debian: `apt-get install flite espeak-ng`).
"""

from __future__ import annotations

import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from tests.tracks.asr.words.vocabulary import ENGLISH, GERMAN, plain
from tracks.types import SAMPLE_RATE, Samples

FLITE = ("slt", "rms", "awb", "kal16")
STRETCHES = (0.9, 1.0, 1.15)
"""How long flite takes, against its own pace."""
ESPEAK = {"en": ("en-us", "en-us+f3", "en-gb"), "de": ("de", "de+f2", "de+m3")}
PACES = (135, 160, 185)
"""Words a minute."""
PITCHES = (40, 60)
PHRASES = 80
"""For each of flite's voices and paces."""
QUIET = 0.01
"""Below that part of its peak a word has not begun, or is over."""


@dataclass(frozen=True, slots=True)
class Said:
    """A word in a sound, in seconds from its beginning."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A word or a phrase without the silence around it. `samples` have a peak of 1."""

    samples: Samples
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """What one voice says at one pace and pitch."""

    name: str
    language: str
    words: dict[str, Clip]
    phrases: tuple[Clip, ...]


def voices(seed: int = 0) -> list[Voice]:
    """All of them. Blocking, for a minute."""
    rng = np.random.default_rng(seed)
    return [
        *(_flite(name, stretch, rng) for name, stretch in itertools.product(FLITE, STRETCHES)),
        *(
            _espeak(language, name, pace, pitch)
            for language, names in ESPEAK.items()
            for name, pace, pitch in itertools.product(names, PACES, PITCHES)
        ),
    ]


def flite(name: str, text: str, stretch: float = 1.0) -> tuple[Samples, list[tuple[str, float]]]:
    """A text in a voice of flite's, and its phones with the time where each ends. Blocking."""
    command = ["flite", "-voice", name, "--setf", f"duration_stretch={stretch}", "-psdur", "-t", text, "-o"]
    samples, out = _spoken(command)
    return samples, [(phone, float(end_s)) for phone, end_s in re.findall(r"(\S+):([\d.]+)", out)]


def espeak(name: str, text: str, pace: int = 160, pitch: int = 50) -> Samples:
    """A text in a voice of espeak-ng's. Blocking."""
    return _spoken(["espeak-ng", "-v", name, "-s", str(pace), "-p", str(pitch), text, "-w"])[0]


def phrase(name: str, words: list[str], stretch: float = 1.0) -> Clip | None:
    """Words in one breath by flite; None where its phones do not tell the words apart. Blocking."""
    samples, phones = flite(name, " ".join(words), stretch)
    counts = [sum(phone != "pau" for phone, _ in flite(name, word, stretch)[1]) for word in words]
    begins = [0.0, *(end_s for _, end_s in phones[:-1])]
    heard = [(begin, end) for begin, (phone, end) in zip(begins, phones, strict=True) if phone != "pau"]
    if len(heard) != sum(counts):
        return None
    lasts = np.cumsum(counts)
    said = [
        Said(word, heard[last - count][0], heard[last - 1][1])
        for word, count, last in zip(words, counts, lasts, strict=True)
    ]
    return _trimmed(samples, said)


def alone(name: str, word: str, pace: int = 160, pitch: int = 50) -> Clip:
    """A word by espeak-ng. Blocking."""
    return _trimmed(espeak(name, word, pace, pitch), [Said(word, 0.0, 0.0)])


def _flite(name: str, stretch: float, rng: np.random.Generator) -> Voice:
    words = [plain(word) for word in ENGLISH]
    clips = {word: _trimmed(flite(name, word, stretch)[0], [Said(word, 0.0, 0.0)]) for word in words}
    phrases = (phrase(name, rng.choice(words, rng.integers(2, 5)).tolist(), stretch) for _ in range(PHRASES))
    return Voice(f"{name} {stretch}", "en", clips, tuple(each for each in phrases if each))


def _espeak(language: str, name: str, pace: int, pitch: int) -> Voice:
    words = [plain(word) for word in (ENGLISH if language == "en" else GERMAN)]
    return Voice(f"{name} {pace} {pitch}", language, {word: alone(name, word, pace, pitch) for word in words}, ())


def _trimmed(samples: Samples, said: list[Said]) -> Clip:
    """From where it can be heard to where it no longer can; the outer words begin and end there."""
    samples = samples / np.abs(samples).max()
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    first, last = int(loud[0]), int(loud[-1]) + 1
    cut = first / SAMPLE_RATE
    ends = [*(each.end_s - cut for each in said[:-1]), (last - first) / SAMPLE_RATE]
    starts = [0.0, *(each.start_s - cut for each in said[1:])]
    said = [Said(each.word, start, end) for each, start, end in zip(said, starts, ends, strict=True)]
    return Clip(samples[first:last].astype(np.float32), tuple(said))


def _spoken(command: list[str]) -> tuple[Samples, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        out = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True).stdout
        with av.open(str(path)) as container:
            return np.concatenate(list(_decoded(container))), out


def _decoded(container: av.container.InputContainer) -> Iterator[Samples]:
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
    for part in (*container.decode(audio=0), None):
        yield from (frame.to_ndarray()[0] for frame in resampler.resample(part))
