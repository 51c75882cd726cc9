"""The bitrate at which we ask to be sent Opus (RFC 7587, 6.1: `maxaveragebitrate` says what a receiver wants).

aiortc's answer does not name one. Browsers then send speech at 32 kb/s, made for ears: from 3 kHz on hardly anything of
the wave is left. Of the 22 words of a recording pocketsphinx got 5 wrong when it was given the file, and by way of
Chromium 11 to 13 at 32 kb/s, 7 to 8.5 at 64 kb/s, and 5.2 to 6.2 at 128 kb/s (means over where its frames begin).
"""

from __future__ import annotations

import re

BITRATE = 128_000
"""Bits per second: the codec's noise is then 20 dB below speech up to 8 kHz, where it was above it."""

_SECTIONS = re.compile(r"(?m)^(?=m=)")
_OPUS = re.compile(r"(?mi)^(a=rtpmap:(\d+) opus/.*\r\n)")


def ask_for_detail(answer: str) -> str:
    """The answer of aiortc, which has no `a=fmtp` for Opus, with one that names `BITRATE` in its audio sections."""
    wish = rf"\g<1>a=fmtp:\g<2> maxaveragebitrate={BITRATE}\r\n"
    return "".join(
        _OPUS.sub(wish, section) if section.startswith("m=audio") else section for section in _SECTIONS.split(answer)
    )
