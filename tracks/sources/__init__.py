"""Server-side sources: media that the server fetches or makes itself, where `webcam` is pushed to it by a client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from aiortc import MediaStreamTrack

from ..errors import VedetteError
from ..events.session import SessionState


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


@runtime_checkable
class Watched(Source, Protocol):
    """A source that may go away and come back by itself: its tracks go on, whatever becomes of what is behind them.

    pts are in real time all the while, so that what comes later is later by as much.
    """

    @property
    def state(self) -> SessionState:
        """`connecting`, `live`, `stalled`, `reconnecting`, or `failed` once it has been given up; see `failure`."""

    @property
    def reason(self) -> str | None:
        """Why it is not live."""

    @property
    def picture_age_s(self) -> float | None:
        """How old its newest picture is; None before the first."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Have this called at every change of the state, from now on."""
