"""Counting words that were heard wrong."""

from __future__ import annotations

import numpy as np
import pytest

from bench.wer import Errors, noisy, spoken_words, word_errors


@pytest.mark.parametrize(
    ("said", "heard", "wrong"),
    [
        ("ask not what your country", "Ask not what your country.", 0),
        ("ask not what your country", "ask what your country", 1),
        ("ask not what your country", "ask me not what your country", 1),
        ("ask not what your country", "ask not what our country", 1),
        ("ask not", "", 2),
        ("", "thank you", 2),
    ],
)
def test_substitutions_deletions_and_insertions_count(said: str, heard: str, wrong: int) -> None:
    """Each costs one; neither case nor punctuation does."""
    assert word_errors(said, heard) == Errors(wrong, len(said.split()))


def test_clips_are_pooled_by_their_words() -> None:
    """A long clip counts for more than a short one."""
    assert (Errors(1, 2) + Errors(1, 18)).rate == pytest.approx(0.1)
    assert Errors(0, 0).rate == 0
    assert Errors(2, 0).rate == 1


def test_apostrophes_belong_to_words_and_quotes_do_not() -> None:
    """Straight or typographic."""
    assert spoken_words("\N{LEFT SINGLE QUOTATION MARK}I\N{RIGHT SINGLE QUOTATION MARK}m here' -- don't") == [
        "i'm",
        "here",
        "don't",
    ]


def test_noise_is_as_far_below_the_speech_as_was_asked() -> None:
    """And the same each time."""
    clean = (0.1 * np.sin(np.arange(160_000) / 7)).astype(np.float32)
    added = noisy(clean, 20.0, 1) - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(added**2)) == pytest.approx(20, abs=0.1)
    assert np.array_equal(noisy(clean, 20.0, 1), noisy(clean, 20.0, 1))
    assert noisy(clean, None, 1) is clean
