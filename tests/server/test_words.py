"""What counts as a word, in whatever script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.words import MAX_CHARS, MAX_QUERY_CHARS, MAX_WORDS, document, query, words
from tracks.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World! Don't.", "hello world don t"),
        ("3.5 a@b.c snake_case NEAR(x) \"y\" 'z' -w *v", "3 5 a b c snake case near x y z w v"),
        ("Café ÜBER Straße ﬁne İstanbul Ωμέγα ёж", "cafe uber strasse fine istanbul ωμεγα еж"),
        ("cafe\u0301 cafe", "cafe cafe"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("한국어 مرحبا", "한국어 مرحبا"),
        ("東京都 go東京", "東京 京都 都 go 東京 京"),
        ("สวัส", "สว วั ัส ส"),
        (" \t–…§€♥ ", ""),
    ],
)
def test_words_are_runs_of_letters_and_digits(text: str, found: str) -> None:
    """Without case, accents and punctuation; pairs of characters where no spaces are written."""
    assert words(text) == found.split()


@pytest.mark.parametrize(
    ("q", "wanted"),
    [("Hello wor", "hello wor"), ("don't", "don t"), ("東京都", "東京 京都"), ("東", "東"), ("go東京 x", "go 東京 x")],
)
def test_a_query_asks_for_words_of_the_session(q: str, wanted: str) -> None:
    """The last character of what is written without spaces is a word at the end of a text only: nothing asks for it."""
    mark, *found = query("0198-ab", q)
    assert (mark, found) == ("§0198ab", wanted.split())


@pytest.mark.parametrize("q", ["", " ", "!?", '"', "-*:^()", "§", "\0"])
def test_a_query_without_words_is_refused(q: str) -> None:
    """By its name, with what would be right."""
    with pytest.raises(InvalidRequest, match="q must have a word in it, letters or digits, got"):
        query("s", q)


def test_what_is_too_long_is_cut_or_refused() -> None:
    """A word has 64 characters, a text 2,000 different words, a query 500 characters."""
    assert words("x" * 100 + " é" + "y" * 100) == ["x" * MAX_CHARS, "e" + "y" * (MAX_CHARS - 1)]
    assert len(document("s", " ".join(map(str, range(5000)))).split()) == 1 + MAX_WORDS
    assert query("s", "x" * MAX_QUERY_CHARS)
    with pytest.raises(InvalidRequest, match="q has 501 characters, 500 are allowed"):
        query("s", "x" * (MAX_QUERY_CHARS + 1))


def test_a_text_is_stored_as_its_different_words() -> None:
    """With the mark of its session first, so that one index serves all sessions; not at all when it has none."""
    assert document("01-2", "The end, THE END!") == "§012 the end"
    assert document("01-2", "…") == ""


@given(st.text())
def test_words_hold_nothing_that_a_database_could_misread(text: str) -> None:
    """Every character is a letter, a digit or not ASCII: neither an operator nor a separator of FTS5 or Postgres."""
    for word in words(text):
        assert word
        assert all(char.isalnum() or not char.isascii() for char in word)
        assert "§" not in word
        assert word.split() == [word]
