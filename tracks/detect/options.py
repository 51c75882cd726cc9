"""What a detector back end is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str], None]
"""Told what is being done, in words for the terminal; called on the loading thread."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one detector is to run."""

    device: str
    """cpu, cuda or mps."""
    cache_dir: Path
    """Where exports and ultralytics' own settings are kept."""
    input_size: int
    """Pixels of the input's longer side, for models whose shape is not fixed."""
    threads: int = 0
    """How many CPU threads inference may use; 0: as many as the runtime likes."""
    report: Report = print
    reason: str = ""
    """Why this model on this runtime, in words."""
    fallback: bool = False
    """Whether it runs in the place of another."""
