from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.fakes_speech import decode
from tracks.errors import ModelUnavailable
from tracks.resample import Resampler, Window
from tracks.types import Samples
from tracks.vad import WINDOW_SAMPLES
from tracks.vad.silero import SileroVad, bundled


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad()


@pytest.fixture(scope="module")
def speech(shared: Path) -> list[Samples]:
    """Windows of 11 s of real speech."""
    resampler = Resampler()
    heard = [each for frame in decode(shared / "media" / "jfk.flac") for each in resampler.push(frame, 0.0)]
    return [each.samples for each in heard if isinstance(each, Window)]


def test_probabilities_are_those_of_sileros_own_wrapper(vad: SileroVad, speech: list[Samples]) -> None:
    """Window by window the very numbers that the original gives."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from silero_vad.utils_vad import OnnxWrapper
    original = OnnxWrapper(str(bundled()), force_onnx_cpu=True)
    stream = vad.stream()
    ours = [stream.probability(samples) for samples in speech]
    theirs = [float(original(torch.from_numpy(samples.copy()), 16_000)) for samples in speech]
    assert ours == theirs
    assert max(ours) > 0.95
    assert min(ours) < 0.05


def test_streams_do_not_disturb_each_other(vad: SileroVad, speech: list[Samples]) -> None:
    """Two streams in turn on one session hear what each would hear alone."""
    alone = vad.stream()
    expected = [alone.probability(samples) for samples in speech]
    one, other = vad.stream(), vad.stream()
    rng = np.random.default_rng(1)
    for samples, probability in zip(speech, expected, strict=True):
        assert one.probability(samples) == probability
        other.probability(rng.normal(0, 0.1, WINDOW_SAMPLES).astype(np.float32))


def test_silence_and_noise_are_not_speech(vad: SileroVad) -> None:
    """Zeros and the hiss of a microphone stay below the threshold."""
    stream, rng = vad.stream(), np.random.default_rng(1)
    quiet = [stream.probability(np.zeros(WINDOW_SAMPLES, np.float32)) for _ in range(30)]
    noise = [stream.probability(rng.normal(0, 0.001, WINDOW_SAMPLES).astype(np.float32)) for _ in range(30)]
    assert max(quiet) < 0.1
    assert max(noise) < 0.5


def test_a_window_of_another_size_is_refused(vad: SileroVad) -> None:
    """The model would take it, and answer something else."""
    with pytest.raises(ValueError, match=r"\(512,\)"):
        vad.stream().probability(np.zeros(480, np.float32))


@pytest.mark.parametrize("sample", [np.nan, np.inf, -1e30])
def test_what_is_no_sound_is_refused_and_spoils_nothing(vad: SileroVad, speech: list[Samples], sample: float) -> None:
    """It raises instead of answering, and the stream goes on as if it had not come."""
    stream, alone = vad.stream(), vad.stream()
    with pytest.raises(ValueError, match="between -1 and 1"):
        stream.probability(np.full(WINDOW_SAMPLES, sample, np.float32))
    for samples in speech[:60]:
        assert stream.probability(samples) == alone.probability(samples)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    path = tmp_path / "silero_vad.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match=str(path)):
        SileroVad(path)


def test_torch_is_not_imported() -> None:
    """Finding and loading the model imports neither silero_vad nor torch."""
    code = (
        "import sys; from tracks.vad.silero import SileroVad; SileroVad().stream();"
        "sys.exit('torch' in sys.modules or 'silero_vad' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
