"""Something short for a recogniser to hear when it is asked whether it works: "two men in sunglasses", by the demo."""

from __future__ import annotations

import av
import numpy as np
from av.error import FFmpegError

from ..errors import SourceUnreachable
from ..sources.speech import ASSETS
from ..types import SAMPLE_RATE, Utterance

START_S, END_S = 5.3, 6.7


def clip() -> Utterance:
    """The words, 1.4 s. Blocking: decodes a small file. Raises SourceUnreachable when it cannot be read."""
    path = ASSETS / "demo.ogg"
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
            parts = [frame for part in (*container.decode(audio=0), None) for frame in resampler.resample(part)]
    except (OSError, FFmpegError) as error:
        raise SourceUnreachable(f"the self-test's speech {path} cannot be read: {error}") from error
    samples = np.concatenate([part.to_ndarray()[0] for part in parts])
    return Utterance(samples[round(START_S * SAMPLE_RATE) : round(END_S * SAMPLE_RATE)], 0.0, END_S - START_S)
