"""Silero VAD in ONNX Runtime: the model that ships in the wheel of silero-vad, without torch.

Importing the package `silero_vad` imports torch, so its model file is only looked up, and its `OnnxWrapper` (MIT,
https://github.com/snakers4/silero-vad, version 6) is done again here with the one difference that the session is shared
and what a stream has heard is kept apart from it.

It is run where the sound comes in, on the event loop. Measured on a busy machine of two cores, a window of 32 ms takes
0.12 ms there (median; 0.16 ms of CPU), and 0.36 ms (0.40 ms of CPU) by way of a thread.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelUnavailable
from ..silence import onnxruntime
from ..types import SAMPLE_RATE, Samples
from . import WINDOW_SAMPLES

PACKAGE = "silero_vad"
CONTEXT_SAMPLES = 64
"""Of the window before, which the model wants to see again."""
LOUDEST = 8.0
"""Filters may overshoot; more than that is not sound."""
STATE_SHAPE = (2, 1, 128)


def bundled() -> Path:
    """The model file in the installed wheel; nothing of the package is imported.

    Raises ModelUnavailable, saying what is missing.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable("the package silero-vad, which brings the voice detector's model, is not installed")
    path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
    if not path.is_file():
        raise ModelUnavailable(f"the package silero-vad has no model at {path}")
    return path


class SileroVad:
    """The model, loaded once. Blocking, about 50 ms. Raises ModelUnavailable when it cannot be loaded."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or bundled()
        runtime = onnxruntime()
        settings = runtime.SessionOptions()
        settings.inter_op_num_threads = settings.intra_op_num_threads = 1  # it runs on the caller's thread alone
        settings.log_severity_level = 3  # errors only: warnings would go to stderr unformatted
        try:
            self._session = runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its C++ side that it does not export
            raise ModelUnavailable(f"the voice detector's model {path} cannot be loaded: {error}") from error
        self.name = f"silero-vad {importlib.metadata.version('silero-vad')}"

    def stream(self) -> SileroStream:
        """A new stream that has heard nothing yet."""
        return SileroStream(self._session)


class SileroStream:
    """What the model remembers of one stream. See `VadStream`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._state = np.zeros(STATE_SHAPE, np.float32)
        self._heard = np.zeros((1, CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
        self._rate = np.array(SAMPLE_RATE, np.int64)

    def probability(self, samples: Samples) -> float:
        """See `VadStream.probability`."""
        if samples.shape != (WINDOW_SAMPLES,):
            raise ValueError(f"a window has the shape ({WINDOW_SAMPLES},), got {samples.shape}")
        loudest = float(np.abs(samples).max())
        if not loudest <= LOUDEST:  # NaN neither: the model would answer 0.00001, and hear voices for a while
            raise ValueError(f"samples lie between -1 and 1, got {loudest}")
        self._heard[0, :CONTEXT_SAMPLES] = self._heard[0, -CONTEXT_SAMPLES:]
        self._heard[0, CONTEXT_SAMPLES:] = samples
        output, self._state = self._session.run(
            ("output", "stateN"), {"input": self._heard, "state": self._state, "sr": self._rate}
        )
        return float(output[0, 0])
