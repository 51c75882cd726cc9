"""The pictures that the detector's phases go round and round with: a sample of the content, kept in memory."""

from __future__ import annotations

from av import VideoFrame

from tracks.jpeg import encode_jpeg

from .content import Content

HELD_FRAMES = 64
"""Kept at least, if the content has so many; making them is the client's work, not the detector's."""


def held_frames(content: Content) -> list[VideoFrame]:
    """The pictures, decoded."""
    step = max(1, len(content.frames) // HELD_FRAMES)
    return [content.frame(index, index) for index in range(0, len(content.frames), step)]


def held_jpegs(content: Content) -> list[bytes]:
    """The same pictures as files."""
    return [encode_jpeg(frame) for frame in held_frames(content)]
