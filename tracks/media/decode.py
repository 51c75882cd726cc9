"""Untrusted media files, looked at and decoded in a process of their own.

```python
async with decode_audio(path) as audio:
    audio.info.duration_s
    async for chunk in audio.chunks():
        chunk.samples, chunk.start_s
    audio.ending
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..types import SAMPLE_RATE, Samples
from . import wire
from .info import Ending, MediaInfo, cut_off
from .limits import Limits
from .process import Child, running

Progress = Callable[[float, float | None], None]
"""(seconds decoded, seconds in all or None where the file does not tell)."""

DEFAULTS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A second of audio, or less."""

    samples: Samples
    start_s: float
    """Media time of the first sample: 0 is where the file begins. A gap in the recording is a gap in these."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The audio of a file as a whole."""

    samples: Samples
    """Sample i is at i / SAMPLE_RATE seconds of the file; gaps are silent."""
    info: MediaInfo
    ending: Ending

    @property
    def duration_s(self) -> float:
        """Of the audio."""
        return len(self.samples) / SAMPLE_RATE


async def probe(path: Path, *, limits: Limits = DEFAULTS) -> MediaInfo:
    """What is in the file.

    Raises UnsupportedMedia for what cannot be read, PayloadTooLarge for what is over a cap, both within `limits.open_s`
    once the decoder runs; Overloaded when the machine lets it not.
    """
    async with running("probe", path, limits) as child:
        return await child.first(MediaInfo)


class Audio:
    """The audio of a file while it is decoded. `decode_audio` makes it."""

    def __init__(self, child: Child, info: MediaInfo, limits: Limits, on_progress: Progress | None) -> None:
        self._child = child
        self._limits = limits
        self._end_s = 0.0
        self._on_progress = on_progress
        self.info = info
        self.ending: Ending | None = None
        """None until the last chunk is taken."""

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Every chunk, in the order of time. The decoder waits for who reads. Raises as `decode_audio`."""
        async with aclosing(self._child.messages()) as messages:
            async for kind, payload in messages:
                if kind == wire.END:
                    self.ending = self._child.parse(Ending, payload)
                    return
                chunk = self._checked(payload)
                self._end_s = chunk.start_s + len(chunk.samples) / SAMPLE_RATE
                yield chunk
                if self._on_progress is not None:
                    self._on_progress(self._end_s, self.info.duration_s)

    def _checked(self, payload: bytes) -> Chunk:
        """A chunk where one can be: the caps hold even for a decoder that the file has taken over."""
        if len(payload) % 4 or not wire.TIME.size < len(payload) <= wire.TIME.size + 4 * SAMPLE_RATE:
            raise self._child.nonsense()
        (start_s,) = wire.TIME.unpack_from(payload)
        if not self._end_s - 1 / SAMPLE_RATE <= start_s <= self._limits.max_duration_s + 1.0:
            raise self._child.nonsense()
        # Floating-point files may hold anything, infinity included.
        samples = np.nan_to_num(np.frombuffer(payload, "<f4", offset=wire.TIME.size), posinf=1.0, neginf=-1.0)
        return Chunk(np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False), start_s)


@asynccontextmanager
async def decode_audio(
    path: Path, *, limits: Limits = DEFAULTS, on_progress: Progress | None = None
) -> AsyncIterator[Audio]:
    """The file's audio, 16 kHz mono, as it is decoded. Leaving early, or being cancelled, kills the decoder.

    Raises as `probe`, on entering and while chunks are read; UnsupportedMedia also when there is no audio, or when
    decoding it crashes or costs more than the limits allow.
    """
    async with running("audio", path, limits) as child:
        yield Audio(child, await child.first(MediaInfo), limits, on_progress)


class Tape:
    """Chunks one after the other, with silence where there is a gap between them."""

    def __init__(self) -> None:
        self._parts: list[Samples] = []
        self._length = 0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk."""
        gap = round(chunk.start_s * SAMPLE_RATE) - self._length
        if gap > 1:  # one is rounding
            self._parts.append(np.zeros(gap, np.float32))
            self._length += gap
        self._parts.append(chunk.samples)
        self._length += len(chunk.samples)

    def samples(self) -> Samples:
        """All of it: sample i is at i / SAMPLE_RATE seconds of the file."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)


async def read_audio(path: Path, *, limits: Limits = DEFAULTS, on_progress: Progress | None = None) -> Recording:
    """The file's audio as a whole: 3.8 MB a minute. Raises as `decode_audio`, and UnsupportedMedia for a cut file."""
    tape = Tape()
    async with decode_audio(path, limits=limits, on_progress=on_progress) as audio:
        async for chunk in audio.chunks():
            tape.add(chunk)
        ending, info = audio.ending, audio.info
    assert ending is not None
    if ending.cut_off:
        raise cut_off(ending, info.duration_s)
    return Recording(tape.samples(), info, ending)
