"""Commands whose screen is theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..logs import configure


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep logs off the screen: what fails is told by the error that is raised."""
    restore = configure("console", "critical", sys.stderr)
    try:
        yield
    finally:
        restore()
