from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from fractions import Fraction

import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from tests.fakes_speech import BeepAsr, Heard, LoudVad, frames, sound
from tests.waiting import until
from tracks.dictation import asr_worker
from tracks.listener import Listener, ListenerOptions
from tracks.segmenter import SegmenterOptions
from tracks.speech import OUTPUT_FRAMES, SpeechTrack
from tracks.stats import Stats
from tracks.types import Samples

SEGMENTS = SegmenterOptions(pre_roll_s=0.1, post_roll_s=0.1, min_speech_s=0.1, min_silence_s=0.4, max_s=5.0)


class PtsClock:
    """A session clock that is the source's own, moved."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s

    def media_time(self, seconds: float) -> float:
        return seconds + self._offset_s


class Microphone(MediaStreamTrack):
    """Gives out the frames it is handed."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._frames: asyncio.Queue[AudioFrame | None] = asyncio.Queue()

    def play(self, heard: list[AudioFrame]) -> None:
        for frame in heard:
            self._frames.put_nowait(frame)

    def end(self) -> None:
        self._frames.put_nowait(None)

    async def recv(self) -> AudioFrame:
        frame = await self._frames.get()
        if frame is None:
            raise MediaStreamError
        return frame


class Desk:
    """A SpeechTrack with everything it needs, and what it told."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.asr = BeepAsr()
        self.worker = asr_worker(lambda: self.asr)
        self.stats = Stats()
        self.heard = Heard()
        self.ended = 0
        self.vad = LoudVad()
        options = ListenerOptions(segmenter=SEGMENTS, partial_every_s=60)
        self.listener = Listener(self.vad, self.worker, options, self.stats, emit=self.heard)
        self.listener.start()
        self.track = SpeechTrack(self.listener, self.stats, on_source_ended=self._ended if keeps else None)
        self.microphone = Microphone()
        self.track.attach(self.microphone, PtsClock())

    def _ended(self) -> None:
        self.ended += 1

    async def receive(self, count: int) -> list[AudioFrame]:
        async with asyncio.timeout(10):
            return [await self.track.recv() for _ in range(count)]

    async def close(self) -> None:
        self.asr.gate.set()
        await self.track.close()
        await self.listener.close()
        await self.worker.close()


@pytest.fixture
async def desk() -> AsyncIterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**options: bool) -> Desk:
        made.append(Desk(**options))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def stereo(samples: Samples, first_s: float = 0.0) -> list[AudioFrame]:
    """20 ms frames as an Opus decoder gives them."""
    return frames(samples, rate=48_000, layout="stereo", first_s=first_s)


def pcm(heard: list[AudioFrame]) -> list[bytes]:
    return [bytes(frame.planes[0])[: frame.samples * 4] for frame in heard]


async def test_sound_passes_unchanged_and_is_heard(desk: Callable[..., Desk]) -> None:
    """Every frame comes out as it came in, and what is spoken becomes a transcript on the session clock."""
    it = desk()
    played = stereo(sound(0.3, 0.5, 0.2, rate=48_000))
    expected = pcm(played)
    it.microphone.play(played)
    received = await it.receive(len(played))
    assert pcm(received) == expected
    assert [frame.pts for frame in received] == [number * 960 for number in range(50)]
    it.microphone.play(stereo(sound(0.6, rate=48_000), first_s=1.0))
    await until(lambda: it.heard.texts(final=True) == ["b5"])
    assert it.heard.phases() == [("started", pytest.approx(0.3, abs=0.04)), ("stopped", pytest.approx(0.8, abs=0.04))]


async def test_a_recogniser_that_hangs_does_not_hold_up_the_sound(desk: Callable[..., Desk]) -> None:
    """While it is at an utterance, frames go on coming out, none of them lost."""
    it = desk()
    it.asr.gate.clear()
    it.microphone.play(stereo(sound(0.0, 0.4, 0.5, rate=48_000)))
    await it.receive(45)
    await until(it.asr.entered.is_set)
    it.microphone.play(stereo(sound(0.0, 0.4, 0.5, rate=48_000), first_s=0.9))
    assert len(await it.receive(45)) == 45
    assert it.stats.drops.total() == 0
    assert it.heard.texts(final=True) == []


async def test_sound_that_nobody_takes_is_dropped_but_heard(desk: Callable[..., Desk]) -> None:
    """The queue to the relay is bounded and counts; the listener has heard it all."""
    it = desk()
    it.microphone.play(stereo(sound(0.5, 1.0, 1.0, rate=48_000)))
    await until(lambda: it.heard.texts(final=True) == ["b10"])
    assert it.stats.drops["sound"] == 125 - OUTPUT_FRAMES
    assert it.stats.queues["sound"]() == OUTPUT_FRAMES
    (first,) = await it.receive(1)
    assert first.pts == (125 - OUTPUT_FRAMES) * 960


async def test_telephone_sound_is_heard_too(desk: Callable[..., Desk]) -> None:
    """8 kHz mono, and a change to 48 kHz stereo in mid-word."""
    it = desk()
    it.microphone.play(frames(sound(0.3, 0.3, rate=8_000), rate=8_000))
    it.microphone.play(stereo(sound(0.0, 0.3, 0.8, rate=48_000), first_s=0.6))
    await until(lambda: it.heard.texts(final=True) == ["b6"])


async def test_a_hole_in_the_stream_ends_the_utterance(desk: Callable[..., Desk]) -> None:
    """A second without a packet: what was said before and after are two."""
    it = desk()
    it.microphone.play(stereo(sound(0.0, 0.4, rate=48_000)))
    it.microphone.play(stereo(sound(0.0, 0.6, 0.6, rate=48_000), first_s=1.6))
    await until(lambda: it.heard.texts(final=True) in (["b4", "b6"], ["b4 b6"]))
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"] * 2


async def test_a_publisher_who_returns_goes_on(desk: Callable[..., Desk]) -> None:
    """Another source's sound follows on the first one's: pts rise by the time that has passed, words by the clock."""
    it = desk(keeps=True)
    it.microphone.play(stereo(sound(0.2, rate=48_000)))
    await it.receive(10)
    it.microphone.end()
    await until(lambda: it.ended)
    assert it.track.readyState == "live"
    again = Microphone()
    it.track.attach(again, PtsClock(5.0))
    again.play(stereo(sound(0.2, 0.3, 0.5, rate=48_000)))
    received = await it.receive(50)
    assert received[0].pts == 5 * 48_000
    assert received[1].pts == 5 * 48_000 + 960
    await until(lambda: it.heard.texts(final=True) == ["b3"])
    assert it.heard.phases()[0] == ("started", pytest.approx(5.2, abs=0.04))


async def test_the_end_of_the_source_ends_the_track_and_the_utterance(desk: Callable[..., Desk]) -> None:
    """Whoever waits in recv is told, and the last words become a transcript."""
    it = desk()
    it.microphone.play(stereo(sound(0.0, 0.5, rate=48_000)))
    await it.receive(25)
    it.microphone.end()
    with pytest.raises(MediaStreamError):
        await it.receive(1)
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"]
    await until(lambda: it.heard.texts(final=True) == ["b5"])


async def test_a_fault_in_listening_leaves_the_sound_alone(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames go on; the fault is logged once and counted."""

    def broken(samples: Samples) -> float:
        raise ValueError("broken")

    it = desk()
    monkeypatch.setattr(it.vad, "probability", broken)
    it.microphone.play(stereo(sound(0.4, rate=48_000)))
    with caplog.at_level(logging.ERROR):
        assert len(await it.receive(20)) == 20
    assert it.stats.drops["internal"] > 1
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_pause_ends_what_is_being_said_and_lets_the_sound_go_on(desk: Callable[..., Desk]) -> None:
    """Nothing that is said in it is written down; what follows is, at its own time."""
    it = desk()
    it.microphone.play(stereo(sound(0.2, 0.3, rate=48_000)))
    await it.receive(25)
    assert [phase for phase, _ in it.heard.phases()] == ["started"]
    it.track.pause(True)
    it.track.pause(True)
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"]
    await until(lambda: it.heard.texts(final=True) == ["b3"])
    it.microphone.play(stereo(sound(0.1, 0.7, 0.2, rate=48_000), first_s=0.5))
    received = await it.receive(50)
    assert [frame.pts for frame in received] == [24_000 + number * 960 for number in range(50)]
    it.track.pause(False)
    it.microphone.play(stereo(sound(0.2, 0.4, 0.6, rate=48_000), first_s=1.5))
    await until(lambda: len(it.heard.texts(final=True)) == 2)
    assert it.heard.texts(final=True) == ["b3", "b4"]
    assert it.heard.phases()[2] == ("started", pytest.approx(1.7, abs=0.04))
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"] * 2


async def test_frames_without_a_time_are_left_out(desk: Callable[..., Desk]) -> None:
    """They cannot be placed, nor encoded."""
    it = desk()
    timeless = AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
    timeless.sample_rate, timeless.time_base, timeless.pts = 48_000, Fraction(1, 48_000), None
    it.microphone.play([timeless, *stereo(sound(0.02, rate=48_000))])
    (frame,) = await it.receive(1)
    assert frame.pts == 0
