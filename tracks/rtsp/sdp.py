"""What a camera says that it sends (RFC 8866), as far as it can be taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

VIDEO_ENCODINGS: Mapping[str, str] = {"H264": "h264", "H265": "hevc", "HEVC": "hevc", "JPEG": "mjpeg"}
"""RTP's names, and FFmpeg's names of decoders."""
AUDIO_ENCODINGS: Mapping[str, str] = {
    "MPEG4-GENERIC": "aac",
    "OPUS": "libopus",
    "PCMU": "pcm_mulaw",
    "PCMA": "pcm_alaw",
}
_STATIC: Mapping[int, tuple[str, int, int]] = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 26: ("JPEG", 90_000, 1)}
"""Payload types with a fixed meaning: encoding, clock rate, channels (RFC 3551, table 4 and 5)."""
MAX_MEDIA = 16
TAKEN = "H.264, H.265 and MJPEG; sound as AAC, Opus and G.711"


@dataclass(frozen=True, slots=True)
class Media:
    """One stream that the camera offers."""

    kind: str
    """`video`, `audio`, or what else it says."""
    payload_type: int
    encoding: str
    """In upper case; empty where it is not said."""
    clock_rate: int
    channels: int
    control: str
    """Its URL."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the format, by lower-case name."""
    fps: float | None = None
    """As the camera states it."""

    @property
    def decoder(self) -> str | None:
        """FFmpeg's name of what decodes it; None when it is not taken."""
        known = VIDEO_ENCODINGS if self.kind == "video" else AUDIO_ENCODINGS if self.kind == "audio" else {}
        return known.get(self.encoding) if self.clock_rate > 0 else None


def read(text: str, base: str) -> list[Media]:
    """The streams, in the order in which the camera names them; `base` is what their URLs are relative to."""
    sections: list[list[str]] = [[]]
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    session, *streams = sections[: MAX_MEDIA + 1]
    whole = _joined(base, _attribute(session, "control"))
    return [media for lines in streams if (media := _media(lines, whole)) is not None]


def _media(lines: Sequence[str], base: str) -> Media | None:
    words = lines[0][2:].split()
    if len(words) < 4 or not words[3].isdecimal():
        return None
    payload_type = int(words[3][:3])
    encoding, rate, channels = _STATIC.get(payload_type, ("", 0, 1))
    for value in _attributes(lines, "rtpmap"):
        found = re.fullmatch(r"(\d{1,3})\s+([A-Za-z0-9_.-]+)\s*/\s*(\d{1,7})(?:\s*/\s*(\d{1,2}))?\s*", value)
        if found and int(found[1]) == payload_type:
            encoding, rate, channels = found[2].upper(), int(found[3]), int(found[4] or 1)
    parameters: dict[str, str] = {}
    for value in _attributes(lines, "fmtp"):
        number, _, rest = value.partition(" ")
        if number == str(payload_type):
            for part in rest.split(";"):
                name, _, given = part.strip().partition("=")
                parameters[name.strip().lower()] = given.strip()
    stated = _attribute(lines, "framerate") or ""
    fps = float(stated) if re.fullmatch(r"\d{1,4}(\.\d{1,6})?", stated) else 0.0
    control = _joined(base, _attribute(lines, "control"))
    return Media(words[0], payload_type, encoding, rate, channels, control, parameters, fps or None)


def _joined(base: str, control: str | None) -> str:
    """A control URL (RFC 2326, appendix C.1.1). Cameras mean what is relative to be appended, query or no query."""
    if not control or control == "*":
        return base
    if urlsplit(control).scheme:
        return control
    if control.startswith("/"):
        return urljoin(base, control)
    return base + ("" if base.endswith("/") else "/") + control


def _attribute(lines: Sequence[str], name: str) -> str | None:
    return next(iter(_attributes(lines, name)), None)


def _attributes(lines: Sequence[str], name: str) -> list[str]:
    return [
        "".join(filter(str.isprintable, line[len(name) + 3 :])).strip()
        for line in lines
        if line.startswith(f"a={name}:")
    ]
