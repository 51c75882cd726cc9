"""ICE on the signaling side: trickled candidates, and which addresses we send checks to."""

from __future__ import annotations

import ipaddress
import re

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from tracks.errors import InvalidRequest

MAX_CANDIDATE_CHARS = 1024
MIN_PORT = 1024
"""No browser opens a media port below; a check sent there would reach a service that its sender chose."""
MAX_PORT = 65535
MAX_PRIORITY = 2**31 - 1

_MDNS_NAME = re.compile(r"[a-zA-Z0-9-]{1,63}\.local")
_TYPES = ("host", "srflx", "relay")
_END = ("", "end-of-candidates")


def parse_candidate(candidate: str, sdp_mid: str | None, sdp_mline_index: int | None = None) -> RTCIceCandidate | None:
    """A trickled candidate; None for the end of candidates and for one that is of no use to us.

    `candidate` is the value of the SDP attribute (`candidate:…`, with or without `a=`). Component 0, which Eyevinn's
    client sends, is taken for 1. TCP, RTCP's component 2, host names other than mDNS ones, and addresses and ports
    that no peer can have are of no use.

    Raises InvalidRequest for what is not a candidate, and for one that names no m-section.
    """
    line = candidate.strip().removeprefix("a=").removeprefix("candidate:").strip()
    if line in _END:
        return None
    if sdp_mid is None and sdp_mline_index is None:
        raise InvalidRequest("a candidate needs sdpMid or sdpMLineIndex")
    parsed = read_candidate(line)
    if not is_useful(parsed):
        return None
    parsed.component = 1
    parsed.sdpMid = sdp_mid
    parsed.sdpMLineIndex = sdp_mline_index
    return parsed


def read_candidate(value: str) -> RTCIceCandidate:
    """The value of a candidate attribute (RFC 8839, 5.1). Raises InvalidRequest."""
    if len(value) > MAX_CANDIDATE_CHARS:
        raise InvalidRequest(f"a candidate has at most {MAX_CANDIDATE_CHARS} characters, got {len(value)}")
    try:
        if not value.isascii() or value.split()[6] != "typ":
            raise ValueError
        parsed = candidate_from_sdp(value)
    except (AssertionError, IndexError, ValueError):
        raise InvalidRequest(
            f"not a candidate: {value[:80]!r}, expected 'FOUNDATION COMPONENT udp PRIORITY ADDRESS PORT typ TYPE'"
        ) from None
    if not 0 <= parsed.port <= MAX_PORT or not 0 <= parsed.priority <= MAX_PRIORITY:
        raise InvalidRequest(f"port or priority out of range in candidate {value[:80]!r}")
    return parsed


def is_useful(candidate: RTCIceCandidate) -> bool:
    """Whether we may send connectivity checks there: they go to whatever address the offer's sender chose.

    Loopback is left out like the other addresses that a remote peer cannot have; a peer on this machine is found by
    the checks that it sends itself.
    """
    return (
        candidate.component in (0, 1)
        and candidate.protocol.lower() == "udp"
        and candidate.type in _TYPES
        and candidate.port >= MIN_PORT
        and _is_peer_address(candidate.ip)
    )


def _is_peer_address(host: str) -> bool:
    if _MDNS_NAME.fullmatch(host):
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return False
    return not (
        ip.is_unspecified
        or ip.is_loopback
        or ip.is_multicast
        or ip.is_link_local
        # 240.0.0.0/4 with the broadcast address; the IPv6 ranges that are reserved hold no host either.
        or ip.is_reserved
    )
