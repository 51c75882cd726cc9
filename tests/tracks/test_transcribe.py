"""Whole recordings, cut into pieces and heard."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from tests.fakes_speech import BeepAsr, LoudVad, sound
from tests.waiting import until
from tracks.asr import NO_HINTS, Cancelled, DecodingCancelled, Hints, never
from tracks.dictation import NOTHING, asr_worker
from tracks.errors import ModelUnavailable
from tracks.transcribe import MAX_PAUSE_S, PIECE_S, pieces, transcribe
from tracks.types import SAMPLE_RATE, Transcript, Utterance


def test_pieces_hold_what_is_spoken_where_it_is() -> None:
    """Words close to each other share a piece, a long pause parts two, and samples are those of their times."""
    samples = sound(1.0, 0.5, 1.0, 0.5, 4.0, 0.5, 0.2)
    found = pieces(samples, LoudVad())
    assert [(round(each.start_s, 1), round(each.end_s, 1)) for each in found] == [(0.5, 3.5), (6.5, 7.7)]
    for each in found:
        np.testing.assert_array_equal(
            each.samples, samples[round(each.start_s * SAMPLE_RATE) : round(each.end_s * SAMPLE_RATE)]
        )


def test_no_piece_is_longer_than_an_engine_looks_at() -> None:
    """A minute of words is several pieces, and nothing of it is lost or twice."""
    samples = sound(*([0.4, 0.6] * 60))
    found = pieces(samples, LoudVad())
    assert all(each.end_s - each.start_s <= PIECE_S for each in found)
    assert len(found) <= 5
    assert sum(np.count_nonzero(each.samples) for each in found) == np.count_nonzero(samples)


def test_silence_is_no_piece() -> None:
    """Neither silence nor nothing at all is given to an engine."""
    assert pieces(np.zeros(SAMPLE_RATE * 5, np.float32), LoudVad()) == []
    assert pieces(np.zeros(0, np.float32), LoudVad()) == []


async def test_words_have_the_time_of_the_recording() -> None:
    """Each piece becomes a transcript, with times from the beginning of the recording."""
    asr = BeepAsr()
    worker = asr_worker(lambda: asr)
    samples = sound(1.0, 0.3, MAX_PAUSE_S + 2.0, 0.4, 1.0)
    try:
        found = [each async for each in transcribe(samples, LoudVad(), worker, NO_HINTS)]
    finally:
        await worker.close()
    assert [each.text for each in found] == ["b3", "b4"]
    assert [round(word.start_s, 1) for each in found for word in each.words] == [1.0, 5.3]


class PatientAsr(BeepAsr):
    """Asks again and again whether it is cancelled, until its gate is open."""

    def transcribe(self, utterance: Utterance, hints: Hints = NO_HINTS, *, cancelled: Cancelled = never) -> Transcript:
        self.entered.set()
        while not self.gate.wait(0.001):
            if cancelled():
                raise DecodingCancelled
        return super().transcribe(utterance, hints, cancelled=cancelled)


async def test_whoever_speaks_is_heard_in_the_midst_of_a_piece() -> None:
    """A request that is quick does not wait for a recording; one that is not does, and the recording is whole."""
    asr = PatientAsr()
    asr.gate.clear()
    worker = asr_worker(lambda: asr)
    reading = asyncio.create_task(anext(transcribe(sound(1.0, 0.3, 1.0), LoudVad(), worker, NO_HINTS)))
    await until(asr.entered.is_set)
    slow = worker.submit(lambda: lambda asr: NOTHING)
    quick = worker.submit(lambda: lambda asr: NOTHING, quick=True)
    assert await asyncio.wait_for(quick, 10) == NOTHING
    assert not slow.done()
    asr.gate.set()
    assert (await reading).text == "b3"
    assert await slow == NOTHING
    await worker.close()


async def test_leaving_ends_the_work_in_the_midst_of_a_piece() -> None:
    """An engine that asks is told, and the recogniser is free for others."""
    asr = PatientAsr()
    asr.gate.clear()
    worker = asr_worker(lambda: asr)
    reading = asyncio.create_task(anext(transcribe(sound(1.0, 0.3, 1.0), LoudVad(), worker, NO_HINTS)))
    await until(asr.entered.is_set)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.wait_for(worker.infer(lambda asr: NOTHING), 10) == NOTHING
    await worker.close()


async def test_leaving_ends_the_work() -> None:
    """Pieces that nobody waits for any more are not heard."""
    asr = BeepAsr()
    asr.gate = threading.Event()
    worker = asr_worker(lambda: asr)
    reading = asyncio.create_task(anext(transcribe(sound(1.0, 0.3, 5.0, 0.4, 1.0), LoudVad(), worker, Hints())))
    await until(asr.entered.is_set)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    asr.gate.set()
    await worker.close()
    assert asr.calls == ["transcribe"]


async def test_a_failure_of_the_engine_is_told() -> None:
    """It ends the transcript."""
    asr = BeepAsr()
    asr.failure = ModelUnavailable("out of order")
    worker = asr_worker(lambda: asr)
    with pytest.raises(ModelUnavailable, match="out of order"):
        await anext(transcribe(sound(1.0, 0.3, 1.0), LoudVad(), worker, NO_HINTS))
    await worker.close()
