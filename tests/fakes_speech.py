"""Small stand-ins for hearing: a voice detector that tells loud from quiet, and a recogniser that hears beeps."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from tests.fakes import picture
from tracks.asr import NO_HINTS, AsrInfo, Cancelled, Hints, never
from tracks.errors import Overloaded
from tracks.events import Model
from tracks.types import SAMPLE_RATE, Samples, Transcript, Utterance, Word
from tracks.vad import WINDOW_SAMPLES

LOUD = 0.05
MERGE_S = 0.05
"""Beeps closer than this are one."""


class LoudVad:
    """Takes everything loud for speech."""

    name = "loud"

    def __init__(self) -> None:
        self.streams = 0

    def stream(self) -> LoudVad:
        self.streams += 1
        return self

    def probability(self, samples: Samples) -> float:
        assert samples.shape == (WINDOW_SAMPLES,)
        return 1.0 if np.abs(samples).max() > LOUD else 0.0


class BeepAsr:
    """Hears a word in every beep, by its length in tenths of a second: "b3". Waits before each call until its gate is
    open."""

    max_batch = 4
    follows_meanwhile = False

    def __init__(self, streams: int = 8) -> None:
        self.info = AsrInfo("beeps", "numpy", "cpu", "fp32", (), "for tests")
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.calls: list[str] = []
        self.heard: list[Utterance] = []
        self.threads: set[int] = set()
        self.open_streams = 0
        self.failure: Exception | None = None
        self.streams = streams
        self.deaf = False
        self.closed = False

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        self.enter("transcribe")
        self.heard.append(utterance)
        return self.words(utterance)

    def transcribe_batch(
        self, utterances: Sequence[Utterance], hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
    ) -> list[Transcript]:
        return [self.transcribe(each, hints, cancelled=cancelled) for each in utterances]

    def stream(self, start_s: float, hints: Hints = NO_HINTS) -> BeepStream:
        if self.open_streams >= self.streams:
            raise Overloaded("all streams are taken")
        self.open_streams += 1
        return BeepStream(self, start_s)

    def words(self, utterance: Utterance, *, final: bool = True) -> Transcript:
        heard = Transcript("", (), None, False) if self.deaf else beeps(utterance.samples, utterance.start_s)
        return replace(heard, final=final)

    def enter(self, call: str) -> None:
        self.entered.set()
        self.gate.wait(10)
        self.calls.append(call)
        self.threads.add(threading.get_ident())
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.closed = True
        self.gate.set()


class BeepStream:
    """One utterance, beep by beep; what it has said it does not take back, even where the utterance was cut before."""

    def __init__(self, asr: BeepAsr, start_s: float) -> None:
        self._asr = asr
        self._start_s = start_s
        self._samples = np.zeros(0, np.float32)
        self._open = True

    def push(self, samples: Samples) -> Transcript:
        self._asr.enter("push")
        assert len(samples)
        self._samples = np.concatenate([self._samples, samples])
        end_s = self._start_s + len(self._samples) / SAMPLE_RATE
        return self._asr.words(Utterance(self._samples, self._start_s, end_s), final=False)

    def finish(self, utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
        self.abandon()
        self._asr.enter("finish")
        self._asr.heard.append(utterance)
        said = self._samples if len(self._samples) > len(utterance.samples) else utterance.samples
        return self._asr.words(replace(utterance, samples=said))

    def abandon(self) -> None:
        self._asr.open_streams -= self._open
        self._open = False


def beeps(samples: Samples, start_s: float) -> Transcript:
    """A word for every stretch that is loud."""
    loud = np.flatnonzero(np.abs(samples) > LOUD)
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > MERGE_S * SAMPLE_RATE) + 1) if len(loud) else []
    words = tuple(
        Word(
            f"b{round((part[-1] - part[0]) / SAMPLE_RATE * 10)}",
            start_s + part[0] / SAMPLE_RATE,
            start_s + part[-1] / SAMPLE_RATE,
            1.0,
        )
        for part in parts
    )
    return Transcript(" ".join(word.text for word in words), words, "en", False)


def sound(*lengths_s: float, rate: int = SAMPLE_RATE) -> Samples:
    """Silence, a beep, silence, a beep ... of these lengths."""
    parts = []
    for number, length_s in enumerate(lengths_s):
        at = np.arange(round(length_s * rate)) / rate
        parts.append((0.3 * np.sin(2 * np.pi * 440 * at)) * (number % 2))
    return np.concatenate(parts).astype(np.float32)


def frames(
    samples: Samples, *, rate: int = SAMPLE_RATE, layout: str = "mono", first_s: float = 0.0, length_s: float = 0.02
) -> list[AudioFrame]:
    """`samples` as frames of s16, the same on every channel, as long as they fill one."""
    size = round(rate * length_s)
    channels = 2 if layout == "stereo" else 1
    made = []
    for at in range(0, len(samples) - size + 1, size):
        pcm = np.repeat((samples[at : at + size] * 32767).astype(np.int16), channels)
        frame = AudioFrame.from_ndarray(pcm[None, :], format="s16", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(first_s * rate) + at
        made.append(frame)
    return made


def decode(path: Path) -> list[AudioFrame]:
    """The frames of a file's sound, as they are decoded."""
    with av.open(str(path)) as container:
        return list(container.decode(audio=0))


class Flashes(MediaStreamTrack):
    """A dark picture in which a bright rectangle is seen for 0.3 s every two seconds, beginning at 1 s."""

    kind = "video"

    def __init__(self, began_s: float) -> None:
        super().__init__()
        self._began_s = began_s
        self._count = 0

    async def recv(self) -> VideoFrame:
        at_s = self._count / 30
        await asyncio.sleep(max(0.0, self._began_s + at_s - time.monotonic()))
        if self.readyState != "live":
            raise MediaStreamError
        frame = picture(200 if is_on(at_s) else None)
        frame.pts, frame.time_base = self._count * 3000, Fraction(1, 90_000)
        self._count += 1
        return frame


class Clicks(MediaStreamTrack):
    """Silence with a beep for each flash of `Flashes` that began at the same moment."""

    kind = "audio"
    loudness = 0.3

    def __init__(self, began_s: float) -> None:
        super().__init__()
        self._began_s = began_s
        self._count = 0

    async def recv(self) -> AudioFrame:
        at_s = self._count / 50
        await asyncio.sleep(max(0.0, self._began_s + at_s - time.monotonic()))
        if self.readyState != "live":
            raise MediaStreamError
        at = at_s + np.arange(960) / 48_000
        samples = self.loudness * np.sin(2 * np.pi * 440 * at) * is_on(at)
        frame = AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None, :], format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = self._count * 960, 48_000, Fraction(1, 48_000)
        self._count += 1
        return frame


def is_on(at_s: Any) -> Any:
    """Whether there is a flash, and a click, at that time."""
    return (at_s % 2 >= 1) & (at_s % 2 < 1.3)


class FlashesAndClicks:
    """A server-side source that has both."""

    failure = None

    def __init__(self) -> None:
        began_s = time.monotonic()
        self.video, self.audio = Flashes(began_s), Clicks(began_s)

    async def close(self) -> None:
        self.video.stop()
        self.audio.stop()


async def open_flashes_and_clicks() -> FlashesAndClicks:
    """One that begins now."""
    return FlashesAndClicks()


class Heard:
    """Collects events as a session would emit them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Model, float, bool]] = []
        self.then: Callable[[], None] = lambda: None
        """Called after each event."""

    def __call__(self, kind: str, data: Model, media_s: float, *, stored: bool, at_once: bool = False) -> None:
        self.events.append((kind, data, media_s, stored))
        self.then()

    def phases(self) -> list[tuple[str, float]]:
        """(phase, media time) of the `speech` events."""
        return [(data.phase, round(at, 3)) for kind, data, at, _ in self.events if kind == "speech"]  # type: ignore[attr-defined]

    def texts(self, *, final: bool) -> list[str]:
        """Of the partial or the final transcripts."""
        return [data.text for kind, data, _, _ in self.events if kind == "transcript" and data.final is final]  # type: ignore[attr-defined]
