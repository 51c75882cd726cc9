"""Trickled candidates, in the shapes that clients send them."""

from __future__ import annotations

import pytest

from signaling.fragment import read_fragment
from tracks.errors import InvalidRequest

HOST = "a=candidate:1 1 udp 2122260223 192.0.2.7 54400 typ host"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_credentials_are_found_at_either_level(end: str) -> None:
    """RFC 8840 has them in the section or before it; lines end either way; unknown ones are passed over."""
    section = ["m=audio 9 RTP/AVP 0", "a=mid:0", "t=0 0", "a=x-something:1"]
    own = ["a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1"]
    for lines in ([*own, *section, HOST], [*section, *own, HOST]):
        found = read_fragment(end.join([*lines, ""]))
        assert (found.ufrag, found.password) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
        assert [(each.ip, each.port) for each in found.candidates] == [("192.0.2.7", 54400)]


def test_one_candidate_of_several_sections_is_one() -> None:
    """Eyevinn's client repeats it for every section, with component 0, and without its own first lines."""
    zero = HOST.replace("candidate:1 1", "candidate:1 0")
    text = "a=ice-ufrag:abcd\r\na=ice-pwd:PEtXwbOoCR1fc5YvwIfgn2aa\r\n"
    text += "".join(f"m=audio 9 RTP/AVP 0\r\na=mid:{mid}\r\n{zero}\r\n" for mid in (0, 1))
    (candidate,) = read_fragment(text).candidates
    assert candidate.component == 1


def test_what_nobody_can_reach_is_dropped_without_a_word() -> None:
    """TCP, names that are no mDNS names, RTCP's own component."""
    useless = (HOST.replace("udp", "tcp") + " tcptype active", HOST.replace("192.0.2.7", "example.org"))
    text = "\n".join([*useless, HOST.replace("candidate:1 1", "candidate:1 2")])
    assert not read_fragment(text).candidates


def test_the_end_of_candidates_is_a_fragment() -> None:
    """Alone, too."""
    found = read_fragment("m=audio 9 RTP/AVP 0\na=mid:0\na=end-of-candidates\n")
    assert (found.ufrag, found.password, found.candidates) == (None, None, ())


@pytest.mark.parametrize(
    "text",
    [
        *("", "\r\n", "hello", "a=mid:0", '{"candidate": ""}', "a=candidate:1 1 udp", "a=ice-ufrag:ab\x00cd"),
        "a=ice-ufrag:abcd\na=ice-ufrag:efgh\n",
        "a=end-of-candidates\n" * 1001,
    ],
)
def test_what_is_no_fragment_is_invalid(text: str) -> None:
    """As is one that contradicts itself, and one that has no end."""
    with pytest.raises(InvalidRequest) as caught:
        read_fragment(text)
    assert len(caught.value.message) < 200
