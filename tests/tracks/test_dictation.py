from __future__ import annotations

import pytest

from tests.fakes_speech import BeepAsr, sound
from tracks.asr import NO_HINTS
from tracks.dictation import Dictation, until
from tracks.errors import ModelUnavailable
from tracks.types import SAMPLE_RATE, Samples, Transcript, Utterance, Word


def utterance(samples: Samples, start_s: float = 10.0) -> Utterance:
    return Utterance(samples, start_s, start_s + len(samples) / SAMPLE_RATE)


def test_an_utterance_is_heard_piece_by_piece() -> None:
    """Each partial passes on what came since; the final is asked of the stream, which is then over."""
    asr, dictation = BeepAsr(), Dictation(NO_HINTS, lambda: False)
    said = sound(0.1, 0.3, 0.1, 0.3, 0.1)
    assert dictation.partial(utterance(said[:8000]))(asr).text == "b3"
    assert dictation.partial(utterance(said[:12000]))(asr).text == "b3 b2"
    assert (dictation.begun, dictation.heard) == (True, 12000)
    final = dictation.final(utterance(said))(asr)
    assert (final.text, final.final) == ("b3 b3", True)
    assert asr.calls == ["push", "push", "finish"]
    assert not dictation.begun


def test_what_lies_behind_a_cut_is_not_in_the_final() -> None:
    """Where the stream has heard beyond the utterance's end, words from there on belong to the next one."""
    words = tuple(
        Word(text, at, at + 0.4, 1.0) for text, at in (("one", 0.0), ("two", 0.5), ("one", 1.0), ("six", 1.5))
    )
    whole = Transcript("one, two, one, six.", words, "en", True)
    assert until(whole, 2.0) == Transcript("one, two, one, six", words, "en", True)
    assert until(whole, 1.25).text == "one, two, one"
    assert until(whole, 1.15).text == "one, two"
    assert until(whole, 0.1) == Transcript("", (), "en", True)


def test_a_final_ends_where_the_utterance_was_cut() -> None:
    """Though the recogniser has heard, and said, more than that."""
    asr, dictation = BeepAsr(), Dictation(NO_HINTS, lambda: False)
    said = sound(0.1, 0.3, 0.1, 0.3, 0.1, 0.3)
    assert dictation.partial(utterance(said))(asr).text == "b3 b3 b3"
    assert dictation.final(utterance(said[:13600]))(asr).text == "b3 b3"


def test_a_stream_that_fails_is_begun_anew() -> None:
    """The next partial hears everything from the start, and nothing stays open."""
    asr, dictation = BeepAsr(), Dictation(NO_HINTS, lambda: False)
    said = sound(0.1, 0.3, 0.1, 0.3, 0.1)
    asr.failure = ModelUnavailable("gone")
    with pytest.raises(ModelUnavailable):
        dictation.partial(utterance(said[:8000]))(asr)
    assert asr.open_streams == 0
    asr.failure = None
    assert dictation.partial(utterance(said))(asr).text == "b3 b3"


def test_a_final_that_failed_can_be_asked_again() -> None:
    """The stream is gone, so the whole utterance is transcribed."""
    asr, dictation = BeepAsr(), Dictation(NO_HINTS, lambda: False)
    whole = utterance(sound(0.1, 0.3, 0.1))
    dictation.partial(whole)(asr)
    asr.failure = ModelUnavailable("gone")
    with pytest.raises(ModelUnavailable):
        dictation.final(whole)(asr)
    asr.failure = None
    assert dictation.final(whole)(asr).text == "b3"
    assert asr.calls == ["push", "finish", "transcribe"]


def test_an_abandoned_utterance_leaves_no_stream() -> None:
    """Also when there was none."""
    asr, dictation = BeepAsr(), Dictation(NO_HINTS, lambda: False)
    dictation.abandon()(asr)
    dictation.partial(utterance(sound(0.1, 0.3)))(asr)
    dictation.abandon()(asr)
    assert asr.open_streams == 0
