"""Where what a batch finds goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import VedetteError
from ..pipeline import EmitData
from ..vision import Observation


@dataclass(frozen=True, slots=True)
class Outlet:
    """A session, as a batch sees it. Everything is called on the event loop."""

    observe: Callable[[Observation], None]
    """Given every detected picture, in order."""
    end: Callable[[float], None]
    """The picture is over at this media time."""
    emit: EmitData
    on_error: Callable[[VedetteError], None]
    settle: Callable[[], Awaitable[None]]
    """Done when all that was stored so far is kept."""
    on_over: Callable[[str], None]
    """Called once, with "film", when there is nothing more to be done and all is kept: not when the batch was closed
    before."""
