"""What a recogniser's back end is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .guards import Guards

Report = Callable[[str], None]
"""Told what is being done, in words for the terminal; called on the loading thread."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server elsewhere that speaks OpenAI's protocol."""

    base_url: str
    """With its version, such as `http://asr:8000/v1`."""
    api_key: str = ""
    timeout_s: float = 30.0
    """How long one utterance may take there, from connecting to the last byte."""
    partials: bool = True
    """Whether an utterance is sent again and again while it is spoken; where every second costs money it is not."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one recogniser is to run."""

    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 0
    """How many CPU threads recognition may use; 0: as many as the engine likes."""
    endpoint: Endpoint | None = None
    guards: Guards = field(default_factory=Guards)
    reason: str = ""
    """Why this one, in words."""
    fallback: bool = False
    """Whether it runs in the place of another."""
