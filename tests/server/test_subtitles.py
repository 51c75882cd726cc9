"""Transcripts as subtitles."""

from __future__ import annotations

from server.subtitles import to_srt, to_vtt
from tracks.types import Segment

SAID = [Segment("  one & <b>two</b>\n\n2 --> 3 ", 0.0, 1.2345), Segment("three", 3599.9996, 36000.0)]


def test_what_is_spoken_is_no_markup() -> None:
    """Nobody can say a tag, an entity, or the beginning of another cue."""
    assert to_vtt(SAID[:1]) == ("WEBVTT\n\n00:00:00.000 --> 00:00:01.234\none &amp; &lt;b&gt;two&lt;/b&gt; 2 → 3\n\n")
    assert to_srt(SAID[:1]) == "1\n00:00:00,000 --> 00:00:01,234\none & <b>two</b> 2 → 3\n\n"


def test_times_carry_over() -> None:
    """Milliseconds are rounded before they are split, and hours have at least two digits."""
    assert "01:00:00.000 --> 10:00:00.000" in to_vtt(SAID)
    assert "2\n01:00:00,000 --> 10:00:00,000" in to_srt(SAID)


def test_nothing_said_is_no_cue() -> None:
    """An empty transcript is a valid file."""
    assert to_vtt([]) == "WEBVTT\n\n"
    assert to_srt([]) == ""
