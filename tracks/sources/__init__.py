"""Server-side sources: media that the server fetches or makes itself, where `webcam` is pushed to it by a client."""

from __future__ import annotations

from typing import Protocol

from aiortc import MediaStreamTrack

from ..errors import VedetteError


class Source(Protocol):
    """An open source.

    pts of both tracks count from the same moment, so that they can be joined: video in 1/90000 s, audio in 1/48000 s.
    A track ends by MediaStreamError when the source has no more.
    """

    @property
    def video(self) -> MediaStreamTrack | None:
        """Its pictures, if it has any: `VideoFrame`s in yuv420p."""

    @property
    def audio(self) -> MediaStreamTrack | None:
        """Its sound, if it has any: `AudioFrame`s, s16 at 48 kHz, 20 ms each."""

    @property
    def failure(self) -> VedetteError | None:
        """Why it ended before its end; None while it runs, and where it was over."""

    async def close(self) -> None:
        """Stop both tracks and let go of everything; ends in bounded time, and may be called again."""
