"""What the child is to do. Runs in the child only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .limits import Limits
from .slots import Slots

Send = Callable[[bytes], None]
"""Sends a message."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a task has to do with which file."""

    fd: int
    """The descriptor of the file, or of the connection."""
    limits: Limits
    send: Send
    slots: Slots | None = None
    """Where pictures go; None where they are not wanted."""
    sound: bool = False
    """Whether sound is wanted, by `film` and `camera`."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """What is told in confidence: it is in no list of processes."""
    datagrams: Sequence[int] = ()
    """Descriptors of sockets."""
