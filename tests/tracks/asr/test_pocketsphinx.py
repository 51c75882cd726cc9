"""Pocketsphinx and its process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.tracks.asr.conftest import noise, read, utterance
from tests.waiting import until
from tracks.asr import DecodingCancelled, Hints, pocketsphinx
from tracks.asr.options import Options
from tracks.asr.pocketsphinx import MAX_STREAMS, PocketsphinxAsr, load, to_words
from tracks.asr.self_test import clip
from tracks.asr.sphinx_pipe import Op, Spoken
from tracks.asr.sphinx_process import SphinxProcess
from tracks.errors import InvalidRequest, ModelUnavailable, Overloaded
from tracks.registry import Registry
from tracks.types import Samples, Transcript, Utterance
from tracks.worker import Worker

pytestmark = pytest.mark.timeout(240)  # 3 s of speech take 1.5 s alone and half a minute on a busy machine
SENTENCE = "two men in sunglasses are walking past it"


def recalled(transcript: Transcript, sentence: str) -> float:
    """The share of a sentence's words that were heard."""
    heard = {word.text for word in transcript.words}
    return sum(word in heard for word in sentence.split()) / len(sentence.split())


def test_it_hears_a_sentence_with_times(sphinx: PocketsphinxAsr, sentence: Samples) -> None:
    """Most words of a clear voice, in order, on the utterance's clock, with real probabilities."""
    heard = sphinx.transcribe(utterance(sentence, 100.0))
    assert recalled(heard, SENTENCE) >= 0.6
    assert (heard.final, heard.language) == (True, "en")
    assert heard.text == " ".join(word.text for word in heard.words) == heard.segments[0].text
    times = [at_s for word in heard.words for at_s in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[0] > 100.0 + 0.1
    assert times[-1] <= 100.0 + len(sentence) / 16_000
    assert 0 < min(word.probability for word in heard.words) < 1
    assert heard.segments[0].tokens == ()


def test_the_same_sound_always_gives_the_same_words(sphinx: PocketsphinxAsr, sentence: Samples) -> None:
    """Nothing of another voice is left over: neither its level nor its noise."""
    first = sphinx.transcribe(utterance(sentence))
    sphinx.transcribe(utterance(noise(1.0, level=0.3)))
    assert sphinx.transcribe(utterance(sentence)) == first


def test_a_famous_sentence(sphinx: PocketsphinxAsr, shared: Path) -> None:
    """A recording of 1961: half of its words at least."""
    heard = sphinx.transcribe(utterance(read(shared / "media" / "jfk.flac")))
    assert recalled(heard, "and my fellow ask not what your country can do for you") >= 0.5


def test_partials_grow_while_somebody_speaks(sphinx: PocketsphinxAsr, sentence: Samples) -> None:
    """Each push adds to what was heard; the final transcript is that of the whole utterance."""
    stream = sphinx.stream(50.0)
    partials = [stream.push(sentence[at : at + 9600]) for at in range(0, len(sentence), 9600)]
    assert not any(partial.final for partial in partials)
    assert len(partials[-1].words) > len(partials[1].words)
    assert all(50.0 <= word.start_s <= word.end_s <= 50.0 + len(sentence) / 16_000 for word in partials[-1].words)
    final = stream.finish(utterance(sentence, 50.0))
    assert final == sphinx.transcribe(utterance(sentence, 50.0))


def test_so_many_voices_at_once_and_no_more(sphinx: PocketsphinxAsr) -> None:
    """Streams beyond the bound are refused; one that ended makes room, and ending twice makes no more."""
    streams = [sphinx.stream(0.0) for _ in range(MAX_STREAMS)]
    with pytest.raises(Overloaded, match=f"follows {MAX_STREAMS} voices"):
        sphinx.stream(0.0)
    streams[0].abandon()
    streams[0].abandon()
    streams[0] = sphinx.stream(0.0)
    with pytest.raises(Overloaded):
        sphinx.stream(0.0)
    for stream in streams:
        stream.abandon()


def test_silence_and_another_language(sphinx: PocketsphinxAsr) -> None:
    """Silence has no text; a language that it does not know is refused, in a stream too."""
    heard = sphinx.transcribe(utterance(np.zeros(16_000, np.float32)))
    assert (heard.text, heard.words, heard.segments) == ("", (), ())
    for ask in (lambda: sphinx.transcribe(utterance(noise(0.5)), Hints("de")), lambda: sphinx.stream(0, Hints("de"))):
        with pytest.raises(InvalidRequest, match="does not know language 'de', have: en"):
            ask()


def test_it_can_be_cancelled_and_goes_on(sphinx: PocketsphinxAsr, sentence: Samples) -> None:
    """Between seconds of sound it asks, and the next utterance is heard as ever."""
    asked: list[float] = []

    def later() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 1

    with pytest.raises(DecodingCancelled):
        sphinx.transcribe(utterance(np.tile(sentence, 10)), cancelled=later)
    assert len(asked) == 2
    assert recalled(sphinx.transcribe(utterance(sentence)), SENTENCE) >= 0.6


def test_somebody_is_followed_while_another_utterance_is_finished(sphinx: PocketsphinxAsr, sentence: Samples) -> None:
    """A final transcript takes seconds: streams are pushed meanwhile, and neither changes the other."""
    alone = sphinx.transcribe(utterance(sentence))
    stream = sphinx.stream(0.0)
    partials: list[Transcript] = []

    def follow() -> bool:
        at = len(partials) * 9600
        if at < len(sentence):
            partials.append(stream.push(sentence[at : at + 9600]))
        return False

    assert sphinx.transcribe(utterance(sentence), cancelled=follow) == alone
    assert len(partials) >= 3
    assert len(partials[-1].words) > 0
    stream.abandon()


async def test_the_event_loop_goes_on_while_it_decodes(sentence: Samples) -> None:
    """Its binding holds the global lock, which is why it has a process: called through a Worker it stops nobody."""

    def build() -> PocketsphinxAsr:
        return load(Registry.load().bundled_recogniser, Options())

    def call(asr: PocketsphinxAsr, items: Sequence[Utterance]) -> list[Transcript]:
        return [asr.transcribe(item) for item in items]

    worker = Worker("asr", build, call)
    await worker.start()
    heard = asyncio.ensure_future(worker.infer(utterance(sentence)))
    turns = 0
    while not heard.done():
        await asyncio.wait({heard}, timeout=0.01)
        turns += 1
    await worker.close()
    assert heard.result().words
    assert turns > 20


def test_a_process_that_broke_is_replaced(sentence: Samples) -> None:
    """The call that it broke in fails and says so, and the next one has a new process, for streams too."""
    asr = load(Registry.load().bundled_recogniser, Options())
    stream = asr.stream(0.0)
    broken, live = asr.process(), asr.live_process()
    for process in (broken, live):
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ModelUnavailable, match="pocketsphinx's process broke"):
        stream.push(sentence)
    stream.abandon()
    with pytest.raises(ModelUnavailable, match="pocketsphinx's process broke"):
        broken.ask(Op.WHOLE, samples=bytes(64_000))
    assert recalled(asr.transcribe(utterance(sentence)), SENTENCE) >= 0.6
    assert asr.process().pid != broken.pid
    streams = [asr.stream(0.0) for _ in range(MAX_STREAMS)]
    assert asr.live_process().pid != live.pid
    assert len(streams) == MAX_STREAMS
    asr.close()


async def test_a_process_that_does_not_start_is_not_tried_all_the_time(
    sentence: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try takes a second of processor time: in between calls fail at once, and later one works again."""
    asr = load(Registry.load().bundled_recogniser, Options())
    asr.process().close()
    tries = []

    def broken(**options: object) -> SphinxProcess:
        tries.append(options)
        raise ModelUnavailable("no memory")

    monkeypatch.setattr(pocketsphinx, "RESTART_S", 0.5)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(pocketsphinx, "SphinxProcess", broken)
        for said in ("no memory", "did not start; tried again in", "did not start; tried again in"):
            with pytest.raises(ModelUnavailable, match=said):
                asr.transcribe(utterance(sentence))
    assert len(tries) == 1

    def works_again() -> bool:
        with contextlib.suppress(ModelUnavailable):
            assert asr.process().alive
            return True
        return False

    await until(works_again, 10)
    asr.close()


def test_one_process_without_the_other_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be loaded will be tried again: nothing may be left of each try."""
    started: list[SphinxProcess] = []

    def one_only(**options: Op) -> SphinxProcess:
        if started:
            raise ModelUnavailable("no memory")
        started.append(SphinxProcess(**options))
        return started[0]

    monkeypatch.setattr(pocketsphinx, "SphinxProcess", one_only)
    with pytest.raises(ModelUnavailable, match="no memory"):
        load(Registry.load().bundled_recogniser, Options())
    assert not started[0].alive


def test_a_process_that_hangs_is_ended() -> None:
    """Nothing waits for ever: past its time it is killed, and the call fails."""
    process = SphinxProcess()
    os.kill(process.pid, signal.SIGSTOP)
    process.timeout_s = 0.2
    with pytest.raises(ModelUnavailable, match="pocketsphinx's process broke"):
        process.ask(Op.STEP)
    assert not process.alive


def test_its_process_ends_with_it() -> None:
    """Closing leaves no process, and closing twice is fine."""
    asr = load(Registry.load().bundled_recogniser, Options())
    pids = [asr.process().pid, asr.live_process().pid]
    asr.close()
    asr.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_it_ends_when_the_server_is_gone() -> None:
    """Even when that was killed: its pipe is closed then."""
    code = (
        "from tracks.asr.sphinx_process import SphinxProcess; p = SphinxProcess(); print(p.pid, flush=True);"
        "import signal; signal.pause()"
    )

    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], text=True
    )
    assert server.stdout is not None
    child = psutil.Process(int(server.stdout.readline()))
    server.kill()
    server.wait()
    server.stdout.close()
    child.wait(20)


def test_words_are_made_to_look_like_text() -> None:
    """No silences, noises and numbers of pronunciations; "I" with its capital; times within the utterance."""
    spoken = [
        Spoken("<s>", 0, 9, 1.0),
        Spoken("i'm", 10, 19, 1.0001),
        Spoken("[SPEECH]", 20, 29, 0.9),
        Spoken("read(2)", 30, 39, 0.5),
        Spoken("<sil>", 40, 44, 0.9),
        Spoken("i", 45, 119, -0.1),
        Spoken("</s>", 120, 130, 1.0),
    ]
    words = to_words(spoken, 10.0, 11.0)
    assert [(word.text, round(word.start_s, 2), round(word.end_s, 2), word.probability) for word in words] == [
        ("I'm", 10.1, 10.2, 1.0),
        ("read", 10.3, 10.4, 0.5),
        ("I", 10.45, 11.0, 0.0),
    ]


def test_the_self_tests_clip_is_heard(sphinx: PocketsphinxAsr) -> None:
    """What /health tries a recogniser on has words in it."""
    assert "men" in sphinx.transcribe(clip()).text.split()
