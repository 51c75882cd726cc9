"""What of an engine's words is not believed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tracks.asr.conftest import noise
from tracks.asr.guards import Guards, compression_ratio
from tracks.types import Segment, Word

GUARDS = Guards()


def words(text: str) -> list[Word]:
    return [Word(each, index / 4, index / 4 + 0.25, 0.5) for index, each in enumerate(text.split())]


@pytest.mark.parametrize("level", [0.0, 0.00003, 0.0003])
def test_silence_is_silence(level: float) -> None:
    """Digital silence, the last bit's noise and a muted microphone are nothing to hear; neither are no samples."""
    assert GUARDS.silent(noise(1.0, level=level))
    assert GUARDS.silent(np.zeros(0, np.float32))


def test_a_short_quiet_sound_is_no_silence() -> None:
    """The loudest window counts, however long it is silent around it, and shorter than a window too."""
    samples = np.zeros(160_000, np.float32)
    samples[80_000:80_600] = noise(600 / 16_000, level=0.002)[:600]
    assert not GUARDS.silent(samples)
    assert not GUARDS.silent(noise(0.01))


def test_a_segment_is_dropped_where_no_speech_is_likely_and_its_words_are_not() -> None:
    """Either alone is no reason: quiet voices raise the one, rare words the other."""
    assert not GUARDS.believable(Segment("thank you", 0, 1, no_speech_prob=0.9, avg_logprob=-1.5))
    assert GUARDS.believable(Segment("thank you", 0, 1, no_speech_prob=0.9, avg_logprob=-0.5))
    assert GUARDS.believable(Segment("thank you", 0, 1, no_speech_prob=0.1, avg_logprob=-1.5))


def test_text_that_packs_too_well_is_dropped() -> None:
    """The measure is that of the whisper package."""
    loop, speech = "so I'm going to go " * 20, "ask not what your country can do for you"
    assert compression_ratio(loop) > 2.4 > compression_ratio(speech)
    assert not GUARDS.believable(Segment(loop, 0, 30, compression_ratio=compression_ratio(loop)))
    assert GUARDS.believable(Segment(speech, 0, 3, compression_ratio=compression_ratio(speech)))


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("well " + "thank you " * 6 + "bye", "well thank you bye"),
        ("you " * 30, "you"),
        ("I am going home. " * 4, "I am going home."),
        ("no no no no", "no no no no"),
        ("very very good and very very good", "very very good and very very good"),
        ("", ""),
    ],
)
def test_loops_are_said_once(heard: str, kept: str) -> None:
    """A phrase that comes again and again is a decoder that is stuck; what people repeat stays."""
    assert " ".join(word.text for word in GUARDS.unlooped(words(heard))) == kept.strip()


def test_words_where_nothing_is_heard_are_dropped() -> None:
    """Text that an engine puts into the pause at the end was not said."""
    samples = np.concatenate([noise(1.0), np.zeros(32_000, np.float32)])
    heard = (Word("hello", 10.2, 10.8, 0.9), Word("thank", 11.5, 11.9, 0.9), Word("you", 14.0, 15.0, 0.9))
    assert [word.text for word in GUARDS.audible(heard, samples, 10.0)] == ["hello"]
