"""Any profile of H.264 from publishers. aiortc takes baseline only, by its name; its decoder, FFmpeg's, takes them all.

ffmpeg names the profile that it really sends, and OBS may. So their offers are answered as if they were baseline, and
the answer says again what was offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BASELINE = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
"""As aiortc has it."""

_RTPMAP = re.compile(r"(?mi)^a=rtpmap:(\d{1,3}) H264/90000[ \t]*\r?$")
_FMTP = r"(?mi)^a=fmtp:{}[ \t]+(.*?)[ \t]*\r?$\n?"
_SETS = re.compile(r"(?i);?[ \t]*sprop-parameter-sets=[^;]*")
"""Parameter sets of the sender, which an answer does not repeat (RFC 6184, 8.2.2)."""


def any_profile(sdp: str) -> tuple[str, Mapping[str, str]]:
    """The offer with all its H.264 as baseline, and what it said instead, by payload type: empty where nothing."""
    offered: dict[str, str] = {}
    for payload_type in _RTPMAP.findall(sdp)[:100]:
        line = re.compile(_FMTP.format(payload_type))
        found = line.search(sdp)
        offered[payload_type] = "" if found is None else found[1]
        sdp = line.sub("", sdp)
    if not offered:
        return sdp, offered
    return _RTPMAP.sub(lambda found: f"{found[0].rstrip()}\r\na=fmtp:{found[1]} {BASELINE}\r", sdp), offered


def as_offered(answer: str, offered: Mapping[str, str]) -> str:
    """The answer of aiortc, with the parameters that were offered. See `any_profile`."""
    for payload_type, fmtp in offered.items():
        parameters = _SETS.sub("", fmtp).strip("; ")
        line = f"a=fmtp:{payload_type} {parameters}\r\n" if parameters else ""
        answer = re.sub(_FMTP.format(payload_type), lambda _, line=line: line, answer)  # type: ignore[misc]
    return answer
