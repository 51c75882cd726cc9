"""What is heard: that somebody speaks, and the words."""

from __future__ import annotations

from typing import Literal

from .envelope import Model


class SpeechData(Model):
    """Somebody began to speak, or stopped."""

    phase: Literal["started", "stopped"]


class SpokenWord(Model):
    """One word of a transcript."""

    text: str
    start: float
    """Seconds on the session clock."""
    end: float
    probability: float


class TranscriptData(Model):
    """What was said: a partial may still grow, a final one is what is kept."""

    text: str
    final: bool
    language: str | None = None
    """ISO 639-1; None when the engine does not tell."""
    words: list[SpokenWord]
    speaker: str | None = None
    engine: str
    """The model that heard it."""

    def index_text(self) -> str:
        """What was said."""
        return self.text
