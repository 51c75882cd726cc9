"""Recognisers, and something for them to hear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from tests.tracks.asr.whisper import make_whisper
from tracks.asr.faster_whisper import FasterWhisperAsr
from tracks.asr.faster_whisper import load as load_whisper
from tracks.asr.guards import Guards
from tracks.asr.options import Options
from tracks.asr.pocketsphinx import PocketsphinxAsr
from tracks.asr.pocketsphinx import load as load_sphinx
from tracks.registry import ModelSpec, Registry
from tracks.sources.speech import ASSETS
from tracks.types import SAMPLE_RATE, Samples, Utterance

CREDULOUS = Guards(no_speech_prob=2.0, avg_logprob=-99.0, compression_ratio=999.0, loop_count=9999)
"""Believes whatever a model with random weights says."""
SENTENCE_S = (5.2, 7.9)
"""Where the demo says "Two men in sunglasses are walking past it"."""


def read(path: Path) -> Samples:
    """The sound of a file, its channels mixed, as recognisers want it."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        frames = [frame for part in (*container.decode(audio=0), None) for frame in resampler.resample(part)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def noise(seconds: float, seed: int = 1, level: float = 0.1) -> Samples:
    """White noise, the same for each seed."""
    return np.random.default_rng(seed).normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.float32)


def utterance(samples: Samples, start_s: float = 0.0) -> Utterance:
    """These samples from `start_s` on."""
    return Utterance(samples, start_s, start_s + len(samples) / SAMPLE_RATE)


@pytest.fixture(scope="session")
def sentence() -> Samples:
    """A sentence of the demo: "Two men in sunglasses are walking past it"."""
    start, end = (round(at_s * SAMPLE_RATE) for at_s in SENTENCE_S)
    return read(ASSETS / "demo.ogg")[start:end]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Whisper that knows English only."""
    return make_whisper(tmp_path_factory.mktemp("whisper") / "tiny.en")


@pytest.fixture(scope="module")
def whisper(model: Path) -> Iterator[FasterWhisperAsr]:
    """That model, believed whatever it says."""
    spec = ModelSpec("tiny.en", "asr", file=model, engine="faster-whisper")
    asr = load_whisper(spec, Options(guards=CREDULOUS))
    yield asr
    asr.close()


@pytest.fixture(scope="module")
def sphinx() -> Iterator[PocketsphinxAsr]:
    """Pocketsphinx, as it ships."""
    asr = load_sphinx(Registry.load().bundled_recogniser, Options())
    yield asr
    asr.close()
