"""Which words are firm."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracks.asr.agreement import Agreement
from tracks.types import Word


def words(text: str, shift_s: float = 0.0) -> tuple[Word, ...]:
    """These words, a quarter of a second each."""
    return tuple(
        Word(each, index / 4 + shift_s, index / 4 + 0.25 + shift_s, 0.5) for index, each in enumerate(text.split())
    )


def said(some: tuple[Word, ...]) -> str:
    return " ".join(word.text for word in some)


def test_a_word_is_firm_once_two_hypotheses_agree() -> None:
    """The first hypothesis commits nothing, the second what it begins like."""
    agreement = Agreement()
    assert said(agreement.push(words("ask not what"))) == "ask not what"
    assert agreement.committed == ()
    agreement.push(words("ask not watch your"))
    assert said(agreement.committed) == "ask not"
    agreement.push(words("ask not watch your country"))
    assert said(agreement.committed) == "ask not watch your"


def test_case_and_punctuation_do_not_keep_words_from_agreeing() -> None:
    """What cannot be heard is no disagreement, and the newer spelling is the one that stays."""
    agreement = Agreement()
    agreement.push(words("and so my"))
    agreement.push(words("And so, my fellow"))
    assert said(agreement.committed) == "And so, my"


def test_committed_words_stay_when_the_engine_changes_its_mind() -> None:
    """A later hypothesis that says something else goes on behind them."""
    agreement = Agreement()
    agreement.push(words("ask not what your"))
    agreement.push(words("ask not what your"))
    assert said(agreement.push(words("ask me what you are country"))) == "ask not what your are country"
    assert said(agreement.finish(words("asked not what your country can do"))) == "ask not what your country can do"


def test_words_that_move_in_time_are_neither_lost_nor_doubled() -> None:
    """Where a hypothesis goes on is found by its words, not by times, and nothing lies before what is committed."""
    for shift_s in (-0.6, 0.6):
        agreement = Agreement()
        agreement.push(words("one two three"))
        agreement.push(words("one two three"))
        found = agreement.finish(words("one two three four five", shift_s))
        assert said(found) == "one two three four five"
        assert all(a.end_s <= b.start_s and b.start_s <= b.end_s for a, b in pairwise(found))


def test_a_word_said_twice_is_kept_twice() -> None:
    """A repetition behind the committed words is speech, not an overlap."""
    agreement = Agreement()
    agreement.push(words("no no"))
    agreement.push(words("no no"))
    assert said(agreement.finish(words("no no no yes"))) == "no no no yes"


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=8), max_size=8))
def test_what_is_committed_never_changes(hypotheses: list[list[str]]) -> None:
    """Whatever an engine says, every transcript begins with all words that were ever committed."""
    agreement = Agreement()
    before: tuple[Word, ...] = ()
    for hypothesis in hypotheses:
        shown = agreement.push(words(" ".join(hypothesis), random.Random(len(hypothesis)).random()))
        assert agreement.committed[: len(before)] == before
        assert shown[: len(agreement.committed)] == agreement.committed
        before = agreement.committed
    assert agreement.finish(words("x y"))[: len(before)] == before
