"""Decoded audio as runs of samples of one form, each with its place in the file. Runs in the child only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from av.audio.frame import AudioFrame
from av.filter import Graph

from .wire import PLAY_RATE, SAMPLE_BYTES, SAMPLE_RATE

GAP_S = 0.1
"""Timestamps that jump further ahead are a gap in the recording; less is the rounding of containers and encoders."""

Emit = Callable[[float, bytes], None]
"""(media time of the first sample in seconds, samples)."""


@dataclass(frozen=True, slots=True)
class Form:
    """What samples are to be; in either form all channels of one take `SAMPLE_BYTES`."""

    rate: int
    """Hz."""
    sample_format: str
    layout: str
    chunk: int
    """Samples in one message."""


LISTENING = Form(SAMPLE_RATE, "flt", "mono", SAMPLE_RATE)
"""For recognisers: a second a message, 64 KB, which is what a pipe holds."""
PLAYING = Form(PLAY_RATE, "s16", "stereo", PLAY_RATE // 10)
"""For ears: 0.1 s a message, so that picture and sound come in turn."""


class Sound:
    """Frames of any rate and layout in, chunks out."""

    def __init__(self, form: Form, emit: Emit) -> None:
        self._form = form
        self._emit = emit
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None
        self._pending = bytearray()
        self._run_s = 0.0
        self._run_samples = 0

    @property
    def end_s(self) -> float:
        """Media time of the end of what was put out, or waits to be."""
        return self._run_s + self._run_samples / self._form.rate

    def put(self, frame: AudioFrame, at_s: float | None) -> None:
        """One decoded frame, in the order of decoding, and the media time that it states."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        # Behind the resampler's own delay, which is up to some ms.
        gap = at_s is not None and at_s > self.end_s + GAP_S
        if gap or shape != self._shape:
            self.flush()
            if gap and at_s is not None:
                self._run_s, self._run_samples = at_s, 0
            self._graph, self._shape = _resampling(*shape, self._form), shape
        assert self._graph is not None
        frame.pts = None
        self._graph.push(frame)
        self._drain()

    def flush(self) -> None:
        """Put out everything that waits."""
        if self._graph is not None:
            self._graph.push(None)
            self._drain()
            self._graph, self._shape = None, None
        self._put_out(len(self._pending) // SAMPLE_BYTES)

    def _drain(self) -> None:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (EOFError, BlockingIOError):
                return
            assert isinstance(frame, AudioFrame)
            self._pending += memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES]
            self._run_samples += frame.samples
            while len(self._pending) >= self._form.chunk * SAMPLE_BYTES:
                self._put_out(self._form.chunk)

    def _put_out(self, samples: int) -> None:
        if not samples:
            return
        start_s = self._run_s + (self._run_samples - len(self._pending) // SAMPLE_BYTES) / self._form.rate
        self._emit(start_s, bytes(self._pending[: samples * SAMPLE_BYTES]))
        del self._pending[: samples * SAMPLE_BYTES]


def _resampling(sample_format: str, layout: str, rate: int, form: Form) -> Graph:
    """av.AudioResampler without its threads, one per core, whose stacks would count against the child's memory."""
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add(
            "abuffer", sample_rate=str(rate), sample_fmt=sample_format, channel_layout=layout, time_base=f"1/{rate}"
        ),
        # Without this a float mix of two equal channels is 3 dB louder than they are, and clips.
        graph.add("aresample", sample_rate=str(form.rate), rematrix_maxval="1.0"),
        graph.add("aformat", sample_rates=str(form.rate), sample_fmts=form.sample_format, channel_layouts=form.layout),
        graph.add("abuffersink"),
    ).configure()
    return graph
