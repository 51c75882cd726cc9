"""Trickled candidates, the addresses that checks go to, and the configured servers."""

from __future__ import annotations

import pytest

from signaling.ice import parse_candidate
from tracks.errors import InvalidRequest

HOST = "candidate:3620377118 1 udp 2122194687 192.0.2.2 47084 typ host generation 0 network-id 1"


def candidate(address: str = "192.0.2.2", port: int = 47084, component: int = 1, protocol: str = "udp") -> str:
    return f"candidate:1 {component} {protocol} 2122194687 {address} {port} typ host"


@pytest.mark.parametrize("line", [HOST, f"a={HOST}", HOST.removeprefix("candidate:"), f" {HOST} "])
def test_a_candidate_is_read(line: str) -> None:
    """A candidate is read with or without the names of line and attribute."""
    parsed = parse_candidate(line, "0", None)
    assert parsed is not None
    assert (parsed.ip, parsed.port, parsed.type, parsed.component) == ("192.0.2.2", 47084, "host", 1)
    assert (parsed.sdpMid, parsed.sdpMLineIndex) == ("0", None)


@pytest.mark.parametrize("line", ["", "candidate:", "end-of-candidates", "a=end-of-candidates"])
def test_the_end_is_no_candidate(line: str) -> None:
    """The end of candidates is None."""
    assert parse_candidate(line, "0", None) is None


def test_component_zero_is_one() -> None:
    """Component 0, which a known client sends, is taken for 1."""
    parsed = parse_candidate(candidate(component=0), None, 2)
    assert parsed is not None
    assert (parsed.component, parsed.sdpMLineIndex) == (1, 2)


@pytest.mark.parametrize(
    "line",
    [
        candidate(protocol="tcp") + " tcptype active",
        candidate(component=2),
        candidate("example.org"),
        candidate("a.b.local"),
        candidate("0.0.0.0"),
        candidate("127.0.0.1"),
        candidate("169.254.169.254"),
        candidate("224.0.0.251"),
        candidate("255.255.255.255"),
        candidate("::"),
        candidate("::1"),
        candidate("::ffff:127.0.0.1"),
        candidate("fe80::1"),
        candidate("ff02::fb"),
        candidate(port=0),
        candidate(port=53),
    ],
)
def test_useless_candidates_are_dropped(line: str) -> None:
    """What no peer can be reached at is None, not an error."""
    assert parse_candidate(line, "0", None) is None


@pytest.mark.parametrize(
    "address", ["192.168.1.7", "10.0.0.1", "203.0.113.5", "fd00::2", "2001:db8::1", "8b3a-1.local"]
)
def test_peers_addresses_are_kept(address: str) -> None:
    """Addresses of networks, and mDNS names, are kept."""
    assert parse_candidate(candidate(address), "0", None) is not None


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "candidate:1 x udp 1 192.0.2.2 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.2 5000 host",
        "candidate:1 1 udp 1 192.0.2.2 5000 typ",
        "candidate:1 1 udp 1 192.0.2.2 99999 typ host",
        "candidate:1 1 udp 1 192.0.2.2 -1 typ host",
        "candidate:1 1 udp 99999999999 192.0.2.2 5000 typ host",
        "candidate:1 1 udp 1 192.0.2.2 5000 typ host raddr 1 rport x",
        HOST + " x" * 1000,
        HOST + " \ud800 1",
    ],
)
def test_garbage_is_an_invalid_request(line: str) -> None:
    """What is not a candidate is refused."""
    with pytest.raises(InvalidRequest):
        parse_candidate(line, "0", None)


def test_a_candidate_names_its_section() -> None:
    """A candidate without mid and index is refused."""
    with pytest.raises(InvalidRequest, match="sdpMid"):
        parse_candidate(HOST, None, None)
