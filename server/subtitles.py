"""Transcripts as subtitles: SubRip, which nobody has specified, and WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterable

from tracks.types import Segment

SRT, VTT = "application/x-subrip", "text/vtt"
"""Media types."""


def to_srt(segments: Iterable[Segment]) -> str:
    """A cue for each segment. What is spoken cannot end a cue or begin another."""
    return "".join(
        f"{number}\n{_time(each.start_s, ',')} --> {_time(each.end_s, ',')}\n{_line(each.text)}\n\n"
        for number, each in enumerate(segments, 1)
    )


def to_vtt(segments: Iterable[Segment]) -> str:
    """A cue for each segment. What is spoken is text and no markup."""
    cues = (f"{_time(each.start_s, '.')} --> {_time(each.end_s, '.')}\n{_escaped(each.text)}\n\n" for each in segments)
    return "WEBVTT\n\n" + "".join(cues)


def _time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(max(0, round(seconds * 1000)), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{point}{milliseconds:03}"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("-->", "→")


def _escaped(text: str) -> str:
    return _line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
