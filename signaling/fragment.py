"""Fragments of SDP that carry trickled candidates (RFC 8840, section 9), as WHIP and WHEP clients send them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import RTCIceCandidate

from tracks.errors import InvalidRequest

from .ice import is_useful, read_candidate

MAX_FRAGMENT_BYTES = 65536
MAX_LINES = 1000

_LINE = re.compile(r"[a-z]=[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a client tells of its side."""

    ufrag: str | None
    password: str | None
    candidates: Sequence[RTCIceCandidate]
    """Those that are of use, each once, with component 1."""


def read_fragment(text: str) -> Fragment:
    """A fragment; lines end with CRLF or LF.

    User name and password are taken from the session or from any section (some clients write them in the one, some in
    the other), candidates from every section, as all share one transport. Those over TCP, or with a name that nobody
    can resolve, are dropped without a word (RFC 9725, 4.3.2). Raises InvalidRequest for what is no fragment.
    """
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    if not lines or len(lines) > MAX_LINES:
        raise InvalidRequest(f"a fragment has 1 to {MAX_LINES} lines, got {len(lines)}")
    ufrag = _one(lines, "ice-ufrag")
    password = _one(lines, "ice-pwd")
    candidates: dict[tuple[str, int], RTCIceCandidate] = {}
    for line in lines:
        if not _LINE.fullmatch(line):
            raise InvalidRequest(f"not a line of SDP: {line[:80]!r} (RFC 8840, section 9)")
        if line.startswith("a=candidate:"):
            candidate = read_candidate(line.removeprefix("a=candidate:"))
            if is_useful(candidate):
                candidate.component = 1
                candidates.setdefault((candidate.ip, candidate.port), candidate)
    if not candidates and ufrag is None and not any(line.startswith(("a=candidate:", "a=end-of-c")) for line in lines):
        raise InvalidRequest("the fragment has neither a=candidate nor a=end-of-candidates nor a=ice-ufrag")
    return Fragment(ufrag, password, tuple(candidates.values()))


def _one(lines: Sequence[str], name: str) -> str | None:
    """The value of an attribute, which may be repeated. Raises InvalidRequest when it has several."""
    values = {line.removeprefix(f"a={name}:").strip() for line in lines if line.startswith(f"a={name}:")}
    if len(values) > 1:
        raise InvalidRequest(f"a={name} has {len(values)} values: all sections share one transport (RFC 8843)")
    return values.pop() if values else None
