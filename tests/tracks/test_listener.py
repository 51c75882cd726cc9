from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.fakes_speech import BeepAsr, BeepStream, Heard, LoudVad, decode, sound
from tests.tracks.asr.conftest import read
from tests.tracks.asr.words.fixture import CLIP, load_words, sentences
from tests.waiting import until
from tracks.asr import NO_HINTS, Asr, Cancelled, Hints, never
from tracks.backlog import BacklogOptions
from tracks.dictation import Ask, AsrWorker, asr_worker
from tracks.errors import ModelUnavailable, Overloaded, VedetteError
from tracks.events.speech import TranscriptData
from tracks.listener import Listener, ListenerOptions
from tracks.resample import Gap, Resampler, Window
from tracks.segmenter import SegmenterOptions
from tracks.stats import Stats
from tracks.types import Samples, Transcript, Utterance
from tracks.vad import WINDOW_S, WINDOW_SAMPLES, Vad
from tracks.vad.silero import SileroVad

SEGMENTS = SegmenterOptions(pre_roll_s=0.1, post_roll_s=0.1, min_speech_s=0.1, min_silence_s=0.4, max_s=5.0)


class Room:
    """A listener with everything it needs, and what it told."""

    def __init__(
        self, options: ListenerOptions, build: Callable[[], Asr] | None = None, vad: Vad | None = None
    ) -> None:
        self.asr = BeepAsr()
        self.worker: AsrWorker = asr_worker(build or (lambda: self.asr))
        self.asked: list[asyncio.Future[Transcript]] = []
        submit = self.worker.submit

        def note(
            make: Callable[[], Ask], *, timeout_s: float | None = None, quick: bool = False
        ) -> asyncio.Future[Transcript]:
            self.asked.append(submit(make, timeout_s=timeout_s, quick=quick))
            return self.asked[-1]

        self.worker.submit = note  # type: ignore[method-assign]
        self.stats = Stats()
        self.heard = Heard()
        self.errors: list[VedetteError] = []
        self.vad = vad or LoudVad()
        self.listener = Listener(
            self.vad, self.worker, options, self.stats, emit=self.heard, on_error=self.errors.append
        )
        self.listener.start()
        self.at_s = 0.0

    async def ready(self) -> None:
        await self.worker.start()
        await asyncio.sleep(0)

    def say(self, samples: Samples) -> None:
        """Hear samples at once, in whole windows, without giving the recogniser time in between."""
        for at in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            self.listener.hear(Window(samples[at : at + WINDOW_SAMPLES], self.at_s))
            self.at_s += WINDOW_S

    async def speak(self, samples: Samples) -> None:
        """Hear samples window by window; whatever the recogniser is asked for is answered in between."""
        for at in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            self.say(samples[at : at + WINDOW_SAMPLES])
            await self.settle()

    async def settle(self) -> None:
        """Let the listener ask for what is due, and have the answers."""
        for _ in range(5):
            await asyncio.sleep(0)
        while self.asked:
            asked, self.asked = self.asked, []
            await asyncio.wait(asked)
            for _ in range(5):
                await asyncio.sleep(0)

    async def finals(self, count: int) -> list[str]:
        await until(lambda: len(self.heard.texts(final=True)) >= count)
        return self.heard.texts(final=True)

    async def close(self) -> None:
        self.asr.gate.set()
        await self.listener.close()
        await self.worker.close()


@pytest.fixture
async def room() -> AsyncIterator[Callable[..., Room]]:
    made: list[Room] = []

    def make(build: Callable[[], Asr] | None = None, vad: Vad | None = None, **options: object) -> Room:
        options.setdefault("segmenter", SEGMENTS)
        made.append(Room(ListenerOptions(**options), build, vad))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def test_an_utterance_becomes_events(room: Callable[..., Room]) -> None:
    """Start, stop and a stored final transcript, whose words lie on the session clock; nothing else is stored."""
    it = room(partial_every_s=60)
    await it.ready()
    it.at_s = 100.0
    it.say(sound(1.0, 0.5, 0.2, 0.3, 1.0))
    assert await it.finals(1) == ["b5 b3"]
    assert it.heard.phases() == [("started", pytest.approx(101, abs=0.04)), ("stopped", pytest.approx(102, abs=0.04))]
    kind, data, media_s, stored = it.heard.events[-1]
    assert isinstance(data, TranscriptData)
    assert (kind, stored, data.engine, data.language, data.speaker) == ("transcript", True, "beeps", "en", None)
    assert media_s == pytest.approx(102.1, abs=0.05)
    times = [(word.start, word.end) for word in data.words]
    assert times == [pytest.approx((101.0, 101.5), abs=0.003), pytest.approx((101.7, 102.0), abs=0.003)]
    assert [stored for *_, stored in it.heard.events] == [False, False, True]
    assert "speaker" in data.wire()
    assert len(it.asr.threads) == 1


async def test_partials_come_while_somebody_speaks(room: Callable[..., Room]) -> None:
    """The first within 1 s of the onset, then at least every 0.6 s, growing; none in silence."""
    it = room(segmenter=SegmenterOptions())
    await it.ready()
    await it.speak(sound(1.0, *[0.3, 0.05] * 7, 0.3, 1.0))
    await it.finals(1)
    partials = [
        (media_s, data)
        for kind, data, media_s, _ in it.heard.events
        if kind == "transcript" and isinstance(data, TranscriptData) and not data.final
    ]
    times = [1.0, *(media_s for media_s, _ in partials), 1.0 + 8 * 0.35 - 0.05]
    assert all(later - sooner <= 0.6 for sooner, later in pairwise(times))
    assert len(partials) >= 5
    counts = [len(data.words) for _, data in partials]
    assert counts == sorted(counts)
    assert it.heard.texts(final=True) == ["b3 b3 b3 b3 b3 b3 b3 b3"]
    assert it.asr.calls[-1] == "finish"
    assert it.stats.drops.total() == 0
    assert it.asr.open_streams == 0


async def test_partials_go_first_when_the_recogniser_is_slow(room: Callable[..., Room]) -> None:
    """While it is at one request, further partials are left out and counted, and the final comes next."""
    it = room()
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0.5, 1.0))
    await until(it.asr.entered.is_set)
    it.say(sound(0, 2.0, 1.0))
    it.asr.gate.set()
    assert await it.finals(1) == ["b30"]
    assert it.stats.drops["partial"] >= 2
    assert it.asr.calls == ["push", "finish"]
    assert it.stats.drops["utterance"] == 0


async def test_no_final_waits_for_a_partial_that_was_begun_in_silence(
    room: Callable[..., Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recogniser that would not be done before the utterance may be over is not asked in a pause."""
    late_s = 0.0
    monkeypatch.setattr("tracks.listener.time", SimpleNamespace(monotonic=lambda: time.monotonic() + late_s))
    it = room()
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0, 0.5, 0.1))
    for _ in range(5):
        await asyncio.sleep(0)
    late_s = 0.35
    it.asr.gate.set()
    await it.settle()
    assert it.asr.calls == ["push"]
    await it.speak(sound(0, 0.1, 0.6))
    assert it.asr.calls == ["push", "finish"]


async def test_a_partial_is_asked_for_when_there_is_something_new(room: Callable[..., Room]) -> None:
    """In a pause the utterance does not grow beyond its post-roll, and nobody is asked for the same again."""
    it = room(partial_every_s=0.05)
    await it.ready()
    await it.speak(sound(0, 0.5, 0.6))
    pushes = it.asr.calls.count("push")
    assert pushes <= (0.5 + 0.1) / 0.05
    assert it.errors == []
    assert it.stats.drops.total() == 0


async def test_waiting_utterances_are_joined(room: Callable[..., Room]) -> None:
    """Behind a slow recogniser, utterances become one request, with their words where they were; none is lost."""
    it = room(partial_every_s=60)
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0.5, 0.3, 0.6))
    await until(it.asr.entered.is_set)
    it.say(sound(0.0, 0.5, 0.6, 0.7, 0.6, 0.9, 0.6))
    it.asr.gate.set()
    assert await it.finals(2) == ["b3", "b5 b7 b9"]
    assert it.stats.drops == {"joined": 2}
    assert len(it.heard.phases()) == 8
    data = it.heard.events[-1][1]
    assert isinstance(data, TranscriptData)
    onsets = [at for phase, at in it.heard.phases() if phase == "started"][1:]
    assert [word.start for word in data.words] == pytest.approx(onsets, abs=0.04)
    assert it.errors == []


async def test_utterances_far_apart_are_not_joined(room: Callable[..., Room]) -> None:
    """Nor are more of them than a recogniser hears at once."""
    it = room(partial_every_s=60, backlog=BacklogOptions(joined_s=2.0, joined_gap_s=1.0))
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0.5, 0.3, 0.6))
    await until(it.asr.entered.is_set)
    it.say(sound(0.0, 0.5, 2.0, 0.7, 0.6, 0.9, 0.6))
    it.asr.gate.set()
    assert await it.finals(4) == ["b3", "b5", "b7", "b9"]


async def test_what_is_too_much_is_dropped_and_told(room: Callable[..., Room]) -> None:
    """Past the bound the oldest go; they are counted, and the first of them is told as an error, until it is over."""
    it = room(partial_every_s=60, backlog=BacklogOptions(max_s=2.0, joined_s=0.0))
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0.5, 0.3, 0.6))
    await until(it.asr.entered.is_set)
    it.say(sound(0.0, *[0.5, 0.6] * 6))
    assert [error.code for error in it.errors] == ["overloaded"]
    assert "0.8 s of speech" in it.errors[0].message

    def say_more() -> None:
        """As soon as the first transcript is there, and two utterances wait."""
        if it.heard.texts(final=True):
            it.heard.then = lambda: None
            it.say(sound(0.0, *[0.5, 0.6] * 6))

    it.heard.then = say_more
    it.asr.gate.set()
    texts = await it.finals(3)
    assert texts == ["b3", "b5", "b5"]
    assert it.stats.drops["utterance"] == 1 + 6 + 6 - len(texts)
    assert len(it.errors) == 1
    assert it.stats.queues["utterances"]() == 0
    it.asr.gate.clear()
    it.say(sound(0.0, *[0.5, 0.6] * 6))
    assert len(it.errors) == 2


async def test_a_gap_ends_an_utterance(room: Callable[..., Room]) -> None:
    """What comes after it is another one, and the voice detector begins anew."""
    it = room(partial_every_s=60)
    await it.ready()
    it.say(sound(0, 0.4))
    it.listener.hear(Gap(10.0))
    it.at_s = 10.0
    it.say(sound(0, 0.6, 1.0))
    assert await it.finals(2) == ["b4", "b6"]
    assert isinstance(it.vad, LoudVad)
    assert it.vad.streams == 2


async def test_an_utterance_ends_when_no_sound_comes_at_all(room: Callable[..., Room]) -> None:
    """A microphone that is cut off sends neither silence nor a gap."""
    it = room(partial_every_s=60, mute_s=0.05)
    await it.ready()
    it.say(sound(0, 0.5))
    assert await it.finals(1) == ["b5"]
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"]


async def test_a_cut_in_long_speech_neither_doubles_nor_loses_a_word(room: Callable[..., Room]) -> None:
    """At max_s the words after the cut, which partials may have shown, are the next utterance's."""
    it = room()
    await it.ready()
    await it.speak(sound(0.2, *[0.25, 0.07] * 29, 0.25, 1.0))
    finals = await it.finals(2)
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"]
    words = " ".join(finals).split()
    assert len(words) == 30
    starts = [
        word.start
        for _, data, _, _ in it.heard.events
        if isinstance(data, TranscriptData) and data.final
        for word in data.words
    ]
    assert np.diff(starts) == pytest.approx(np.full(29, 0.32), abs=0.02)


async def test_a_partial_that_turns_out_to_be_nothing_is_taken_back(room: Callable[..., Room]) -> None:
    """An empty final transcript replaces it, and is not stored; where nothing was shown, nothing is told."""
    it = room()
    await it.ready()
    await it.speak(sound(0, 0.9))
    assert it.heard.texts(final=False) != []
    it.asr.deaf = True
    await it.speak(sound(0.6, 0.3, 0.6))
    assert it.heard.texts(final=True) == [""]
    assert not any(stored for *_, stored in it.heard.events)
    assert len(it.asr.heard) == 2


async def test_without_a_recogniser_it_is_still_told_who_speaks(room: Callable[..., Room]) -> None:
    """The reason is told once, and nothing waits for what will not come."""

    def missing() -> Asr:
        raise ModelUnavailable("no such model")

    it = room(missing)
    it.say(sound(0, 0.5, 1.0))
    await until(lambda: it.errors)
    it.say(sound(0, 0.5, 1.0, 0.5, 1.0))
    assert [phase for phase, _ in it.heard.phases()] == ["started", "stopped"] * 3
    assert [error.message for error in it.errors] == ["no such model"]
    assert it.stats.queues["utterances"]() == 0


async def test_a_recogniser_that_fails_is_told_once_and_asked_again(room: Callable[..., Room]) -> None:
    """The utterance is lost and counted; the next one is heard."""
    it = room(partial_every_s=60)
    await it.ready()
    it.asr.failure = ModelUnavailable("out of memory")
    for lost in (1, 2):
        it.say(sound(0, 0.5, 1.0))
        await until(lambda lost=lost: it.stats.drops["utterance"] == lost)  # type: ignore[misc]
    assert [error.code for error in it.errors] == ["model_unavailable"]
    it.asr.failure = None
    it.say(sound(0, 0.5, 1.0))
    assert await it.finals(1) == ["b5"]


async def test_a_recogniser_without_room_is_asked_again(room: Callable[..., Room]) -> None:
    """Nothing is lost as long as the backlog has room, and nobody is told."""
    it = room(partial_every_s=60)
    await it.ready()
    it.asr.failure = Overloaded("not now")
    it.say(sound(0, 0.5, 0.5))
    await until(lambda: it.asr.calls)
    it.asr.failure = None
    assert await it.finals(1) == ["b5"]
    assert it.errors == []
    assert it.stats.drops.total() == 0


async def test_without_room_for_a_stream_the_final_comes_alone(room: Callable[..., Room]) -> None:
    """A recogniser that follows as many voices as it can still hears the whole utterance at its end."""
    it = room()
    it.asr.streams = 0
    await it.ready()
    await it.speak(sound(0, 1.0, 0.6))
    assert it.heard.texts(final=False) == []
    assert it.heard.texts(final=True) == ["b10"]
    assert it.stats.drops["partial"] >= 1


async def test_the_last_words_are_heard_at_the_end(room: Callable[..., Room]) -> None:
    """Closing ends what goes on and waits for its transcript."""
    it = room(partial_every_s=60)
    await it.ready()
    it.say(sound(0, 0.5))
    await it.listener.close()
    assert it.heard.texts(final=True) == ["b5"]


async def test_closing_does_not_wait_for_ever(room: Callable[..., Room]) -> None:
    """A recogniser that hangs is left alone after `last_words_s`; its streams are given back once it answers."""
    it = room(last_words_s=0.05)
    await it.ready()
    await it.speak(sound(0, 0.7))
    assert it.asr.open_streams == 1
    it.asr.gate.clear()
    it.asr.entered.clear()
    it.say(sound(0, 0.5))
    await until(it.asr.entered.is_set)
    it.say(sound(1.0, 0.5, 1.0))
    async with asyncio.timeout(2):
        await it.listener.close()
    assert it.stats.drops["utterance"] == 2
    it.asr.gate.set()
    await until(lambda: it.asr.open_streams == 0)


async def test_an_utterance_that_is_cut_off_at_the_end_is_counted(room: Callable[..., Room]) -> None:
    """The one that the recogniser was at when nobody waited any longer."""
    it = room(partial_every_s=60, last_words_s=0.01)
    await it.ready()
    it.asr.gate.clear()
    it.say(sound(0, 0.5, 1.0))
    await until(it.asr.entered.is_set)
    await it.listener.close()
    assert it.stats.drops["utterance"] == 1


async def test_real_speech_is_told_where_it_is(room: Callable[..., Room], shared: Path) -> None:
    """With the real voice detector on a film's sound: two utterances, each where somebody speaks."""
    it = room(
        vad=SileroVad(),
        segmenter=SegmenterOptions(min_silence_s=1.2),
        partial_every_s=60,
        backlog=BacklogOptions(joined_s=0),
    )
    await it.ready()
    resampler = Resampler()
    for frame in decode(shared / "media" / "people-and-speech.mp4"):
        assert frame.pts is not None
        assert frame.time_base is not None
        for each in resampler.push(frame, float(frame.pts * frame.time_base)):
            it.listener.hear(each)
    it.listener.flush()
    phases = it.heard.phases()
    assert [phase for phase, _ in phases] == ["started", "stopped"] * 2
    assert phases[0][1] == pytest.approx(3.36, abs=0.15)
    assert phases[2][1] == pytest.approx(16.29, abs=0.15)
    await until(lambda: len(it.asr.heard) == 2)
    assert it.asr.heard[0].start_s == pytest.approx(3.36 - 0.5, abs=0.15)
    assert it.asr.heard[0].end_s - it.asr.heard[0].start_s == pytest.approx(
        len(it.asr.heard[0].samples) / 16_000, abs=1e-6
    )


async def test_real_words_are_heard_as_they_are_spoken(room: Callable[..., Room]) -> None:
    """Real voice detector, segmenter and recogniser: every sentence once, its words where they were said, in its
    language; before that, partial transcripts that begin like it."""
    it = room(load_words, SileroVad(), segmenter=SegmenterOptions())
    await it.ready()
    it.at_s = 100.0
    await it.speak(read(CLIP))
    said = sentences()
    assert await it.finals(len(said)) == [each.text for each in said]
    told = [data for _, data, _, _ in it.heard.events if isinstance(data, TranscriptData)]
    finals = [data for data in told if data.final]
    assert [data.language for data in finals] == [each.language for each in said]
    for data, each in zip(finals, said, strict=True):
        starts, ends = [word.start for word in data.words], [word.end for word in data.words]
        assert starts == pytest.approx([100 + word.start_s for word in each.words], abs=0.2)
        assert ends == pytest.approx([100 + word.end_s for word in each.words], abs=0.2)
    sooner = {data.text for data in told if not data.final}
    assert all(any(text and each.text.startswith(text) for text in sooner) for each in said)
    assert it.errors == []
    assert it.stats.drops.total() == 0


async def test_who_speaks_is_followed_while_what_was_said_before_is_finished() -> None:
    """Where the recogniser can do both: partial transcripts of the next utterance do not wait for a final one."""
    finishing, go_on = threading.Event(), threading.Event()

    class Patient(BeepAsr):
        """Asks whether it is cancelled until it may finish."""

        def stream(self, start_s: float, hints: Hints = NO_HINTS) -> BeepStream:
            opened = super().stream(start_s, hints)
            finish = opened.finish

            def patient(utterance: Utterance, *, cancelled: Cancelled = never) -> Transcript:
                finishing.set()
                while not go_on.wait(0.01):
                    cancelled()
                return finish(utterance)

            opened.finish = patient  # type: ignore[method-assign]
            return opened

    it = Room(ListenerOptions(segmenter=SEGMENTS), Patient)
    await it.ready()
    it.say(sound(0.2, 0.5))
    await until(lambda: it.heard.texts(final=False) != [])
    it.say(sound(0.5))
    await until(finishing.is_set)
    told = len(it.heard.texts(final=False))
    it.say(sound(0.2, 0.5))
    await until(lambda: len(it.heard.texts(final=False)) > told)
    assert it.heard.texts(final=True) == []
    go_on.set()
    assert await it.finals(1) == ["b5"]
    await it.close()


@pytest.mark.parametrize("follows", [True, False])
async def test_partials_wait_for_finals_only_where_they_would_hold_them_up(follows: bool) -> None:
    """Two utterances wait for their final transcripts while a third is spoken."""
    go_on = threading.Event()

    class Patient(BeepAsr):
        """Makes final transcripts when it may."""

        follows_meanwhile = follows

        def transcribe(
            self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never
        ) -> Transcript:
            while not go_on.wait(0.01):
                cancelled()
            return super().transcribe(utterance, hints)

    options = ListenerOptions(segmenter=SEGMENTS, backlog=BacklogOptions(joined_s=0.0), partial_every_s=0.4)
    it = Room(options, lambda: Patient(streams=1))
    await it.ready()
    stream = await it.worker.infer(lambda asr: asr.stream(0.0))  # type: ignore[arg-type, return-value]
    it.say(sound(0.2, 0.5, 0.5, 0.5, 0.5))
    await until(lambda: it.stats.queues["utterances"]() == 1)
    await it.worker.submit(lambda: lambda asr: stream.abandon(), quick=True)  # type: ignore[attr-defined, return-value, arg-type]
    it.say(sound(0, 0.5))
    dropped = it.stats.drops["partial"]
    await until(lambda: it.heard.texts(final=False) != [] or it.stats.drops["partial"] > dropped)
    assert (it.heard.texts(final=False) != []) is follows
    go_on.set()
    assert await it.finals(2) == ["b5", "b5"]
    await it.close()
