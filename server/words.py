"""The words of a text, as full-text search sees them: the same words whatever the database.

Both databases could cut texts into words themselves, each in its own way: Postgres keeps `3.5`, `a@b.c` and `/usr/bin`
whole and goes by its locale, FTS5 by the Unicode of 2012. Here is one way for both, and they are given single words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from tracks.errors import InvalidRequest

MAX_CHARS = 64
"""Of a word; the rest of it is cut off. Postgres takes 2 KB."""
MAX_WORDS = 2000
"""Different ones of a text; further ones are not found. Postgres takes 1 MB of them."""
MAX_QUERY_CHARS = 500

SESSION_MARK = "§"
"""Before a session's id among the words of its texts. It is part of no word of a text, so nobody's query meets it."""

_ACCENTS = re.compile("[\u0300-\u036f]")
"""Combining marks of Latin, Greek and Cyrillic; those of other scripts are vowels."""
_PLAIN = re.compile("[a-z0-9]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese are written without spaces."""


def words(text: str) -> list[str]:
    """Its words in order: runs of letters and digits, in any script, without regard to case and accents.

    Where no spaces are written, every two neighbouring characters are a word, and so is the last.
    """
    return [word for run in _runs(text) for word in _words(run)]


def document(session_id: str, text: str) -> str:
    """Different words with spaces between: what is stored of a text to be found by. Empty when it has no word."""
    found = list(dict.fromkeys(words(text)))[:MAX_WORDS]
    return " ".join((_mark(session_id), *found)) if found else ""


def query(session_id: str, q: str) -> list[str]:
    """The words that a text of this session must have to be found by `q`; of the last one, the beginning.

    Raises InvalidRequest when there are none, or too many.
    """
    if len(q) > MAX_QUERY_CHARS:
        raise InvalidRequest(f"q has {len(q)} characters, {MAX_QUERY_CHARS} are allowed")
    found = [word for run in _runs(q) for word in _words(run, last=False)]
    if not found:
        raise InvalidRequest(f"q must have a word in it, letters or digits, got {q[:40]!r}")
    return [_mark(session_id), *found]


def _words(run: str, *, last: bool = True) -> Iterator[str]:
    """`last`: of what is written without spaces, the last character, too, which is a word at the end of a text only."""
    if run.isascii():
        yield run[:MAX_CHARS]
        return
    at = 0
    for unspaced in _UNSPACED.finditer(run):
        if at < unspaced.start():
            yield run[at : unspaced.start()][:MAX_CHARS]
        at = unspaced.end()
        starts = len(unspaced[0]) if last or len(unspaced[0]) == 1 else len(unspaced[0]) - 1
        yield from (unspaced[0][start : start + 2] for start in range(starts))
    if at < len(run):
        yield run[at:][:MAX_CHARS]


def _runs(text: str) -> list[str]:
    """What is between spaces and punctuation, without case and accents."""
    if text.isascii():
        return _PLAIN.findall(text.lower())
    # Unicode's caseless matching with compatibility forms (section 3.13, D146), less the accents.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = unicodedata.normalize("NFC", _ACCENTS.sub("", folded))
    return "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in bare).split()


def _mark(session_id: str) -> str:
    return SESSION_MARK + session_id.replace("-", "")
