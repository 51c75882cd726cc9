"""The annotated film of a session on its way to being an artifact."""

from __future__ import annotations

from pathlib import Path

from tracks.batch import Shelf

from .artifacts import Artifacts, Caption


class FilmShelf(Shelf):
    """Where one session's film is written, and kept."""

    def __init__(self, artifacts: Artifacts, session_id: str, source_id: str) -> None:
        self._artifacts = artifacts
        self._caption = Caption(session_id, source_id, "film", 0.0)

    @property
    def draft(self) -> Path:
        """The file to write it to."""
        return self._artifacts.draft(self._caption)

    async def keep(self, media_type: str, size: tuple[int, int]) -> str:
        """Keep what was written: it is durable when this returns its id."""
        return (await self._artifacts.keep_draft(self._caption, media_type, size)).id

    async def discard(self) -> None:
        """Do without it, unless it was kept."""
        await self._artifacts.drop_draft(self._caption)
