"""What works through the files of sessions of mode `batch`: how it is asked for, and made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tracks.batch import Batch, FilmListener, FilmWatcher
from tracks.errors import ModelUnavailable
from tracks.stats import Stats
from tracks.vision import VisionOptions

from .artifact_films import FilmShelf
from .artifacts import Artifacts
from .hearing import Hearing
from .source_files import SourceFiles

MAX_BATCHES = 4
"""At once: each has a decoder or two of its own, and all share one detector."""
STORE_EVERY_S = 0.0
"""Each detection is stored: a batch has nobody who watches as it runs, and its result is to be complete."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is asked of a batch besides its pipelines."""

    rate_hz: float | None = None
    """Pictures a second that are looked at, 0 for all; None for as many as the profile says."""
    record: bool = False
    """Whether a film is made, with what is found drawn on it."""

    def of(self, options: VisionOptions) -> VisionOptions:
        """The options of a profile with what is asked for in their place."""
        return options if self.rate_hz is None else replace(options, max_rate_hz=self.rate_hz)


class Batches:
    """Makes batches, for sessions to run."""

    def __init__(self, files: SourceFiles, hearing: Hearing, artifacts: Artifacts) -> None:
        self._files = files
        self._artifacts = artifacts
        self._hearing = hearing

    def make(self, source_id: str, pipelines: Collection[str], watcher: FilmWatcher, stats: Stats) -> Batch:
        """One for the file of that source; `watcher` is what looks at its pictures, if they are to be looked at.

        Raises SourceUnreachable when the file is gone, ModelUnavailable when it is known that there is no recogniser.
        """
        path, media = self._files.path(source_id), self._files.media(source_id)
        assert media is not None
        listener = None
        if "audio" in pipelines:
            worker = self._hearing.recognisers.worker()
            if worker.problem:
                raise ModelUnavailable(worker.problem)
            listener = FilmListener(self._hearing.vad, worker, stats)
        looks = watcher if "vision" in pipelines else None
        return Batch(path, media.duration_s or 0.0, looks, listener, stats)

    def record(self, batch: Batch, session_id: str, source_id: str) -> None:
        """Have a film made of what a batch of that source does, as an artifact of the session."""
        media = self._files.media(source_id)
        if media is not None and media.video is not None:
            shelf = FilmShelf(self._artifacts, session_id, source_id)
            batch.record(shelf, (media.video.width, media.video.height), sound=media.audio is not None)
