"""Decoded audio as runs of 16 kHz mono samples, each with its place in the file. Runs in the child only."""

from __future__ import annotations

from collections.abc import Callable

from av.audio.frame import AudioFrame
from av.filter import Graph

from .wire import SAMPLE_RATE

CHUNK_SAMPLES = SAMPLE_RATE
"""Of one message: a second, 64 KB, which is what a pipe holds."""
GAP_S = 0.1
"""Timestamps that jump further ahead are a gap in the recording; less is the rounding of containers and encoders."""
BYTES = 4
"""Of a float32."""

Emit = Callable[[float, bytes], None]
"""(media time of the first sample in seconds, f32 samples)."""


class Sound:
    """Frames of any rate and layout in, one-second chunks out."""

    def __init__(self, start_s: float, emit: Emit) -> None:
        """`start_s`: pts in seconds that is media time 0."""
        self._start_s = start_s
        self._emit = emit
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None
        self._pending = bytearray()
        self._run_s = 0.0
        self._run_samples = 0

    @property
    def end_s(self) -> float:
        """Media time of the end of what was put out, or waits to be."""
        return self._run_s + self._run_samples / SAMPLE_RATE

    def put(self, frame: AudioFrame) -> None:
        """One decoded frame, in the order of decoding."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        at_s = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        # Behind the resampler's own delay, which is up to some ms.
        gap = at_s is not None and at_s - self._start_s > self.end_s + GAP_S
        if gap or shape != self._shape:
            self.flush()
            if gap and at_s is not None:
                self._run_s, self._run_samples = at_s - self._start_s, 0
            self._graph, self._shape = _resampling(*shape), shape
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
        self._put_out(len(self._pending) // BYTES)

    def _drain(self) -> None:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (EOFError, BlockingIOError):
                return
            assert isinstance(frame, AudioFrame)
            self._pending += memoryview(frame.planes[0])[: frame.samples * BYTES]
            self._run_samples += frame.samples
            while len(self._pending) >= CHUNK_SAMPLES * BYTES:
                self._put_out(CHUNK_SAMPLES)

    def _put_out(self, samples: int) -> None:
        if not samples:
            return
        start_s = self._run_s + (self._run_samples - len(self._pending) // BYTES) / SAMPLE_RATE
        self._emit(start_s, bytes(self._pending[: samples * BYTES]))
        del self._pending[: samples * BYTES]


def _resampling(sample_format: str, layout: str, rate: int) -> Graph:
    """av.AudioResampler without its threads, one per core, whose stacks would count against the child's memory."""
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add(
            "abuffer", sample_rate=str(rate), sample_fmt=sample_format, channel_layout=layout, time_base=f"1/{rate}"
        ),
        # Without this a float mix of two equal channels is 3 dB louder than they are, and clips.
        graph.add("aresample", sample_rate=str(SAMPLE_RATE), rematrix_maxval="1.0"),
        graph.add("aformat", sample_rates=str(SAMPLE_RATE), sample_fmts="flt", channel_layouts="mono"),
        graph.add("abuffersink"),
    ).configure()
    return graph
