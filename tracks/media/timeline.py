"""One time for picture and sound of a file, which never runs backwards. Runs in the child only.

Recordings that were put together from several, and streams whose sender was restarted, have timestamps that jump back.
A player that believed them would play nothing until they have caught up; here the rest follows on what was.
"""

from __future__ import annotations

JUMP_S = 0.5
"""Timestamps further back than this are a jump; less is one picture or sound that comes too late."""
SKEW_S = 2.0
"""Picture and sound of one recording end at most so far apart: nearer jumps of the two are taken for the same."""


class Timeline:
    """Media times of the streams of one file: 0 is where the file begins."""

    def __init__(self, start_s: float) -> None:
        """`start_s`: the timestamp, in seconds, that is media time 0."""
        self._newest_s = -start_s
        """What the stream that jumped last adds to its timestamps."""
        self._shift_s: dict[str, float] = {}
        self._end_s: dict[str, float] = {}

    @property
    def end_s(self) -> float:
        """Media time of the end of what was placed so far."""
        return max(self._end_s.values(), default=0.0)

    def place(self, stream: str, timestamp_s: float, length_s: float = 0.0) -> float:
        """Media time of what comes next in `stream`. At most `JUMP_S` before the end of what came before it."""
        end_s = self._end_s.get(stream, 0.0)
        shift_s = self._shift_s.setdefault(stream, self._newest_s)
        if timestamp_s + shift_s < end_s - JUMP_S:
            shift_s = self._newest_s
            if not end_s - JUMP_S <= timestamp_s + shift_s <= end_s + SKEW_S:
                # Nobody has jumped here yet; the other stream will, by as much.
                shift_s = self._newest_s = end_s - timestamp_s
            self._shift_s[stream] = shift_s
        at_s = timestamp_s + shift_s
        self._end_s[stream] = max(end_s, at_s + length_s)
        return at_s
