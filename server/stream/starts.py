"""The sessions that connections start and find."""

from __future__ import annotations

import contextlib
from concurrent.futures import Executor

from signaling.messages import Start
from tracks.errors import DatabaseUnavailable, InvalidRequest, NotFound, Overloaded

from .. import store
from ..archive import Archive
from ..session import LiveSession
from ..sessions import LiveSessions
from .prints import Prints

RETRY_AFTER_S = 5


class Starts:
    """What connections need of the rest of the server. `threads` decode and encode pictures."""

    def __init__(self, live: LiveSessions, sources: store.Sources, threads: Executor) -> None:
        self.threads = threads
        self.prints = Prints(threads)
        self._live = live
        self._sources = sources

    async def start(self, message: Start) -> LiveSession:
        """Make a session, and a `webcam` source for it where none is named.

        Raises what `LiveSessions.create` raises; Overloaded tells when to come again.
        """
        made: store.Source | None = None
        source_id = message.source_id
        if source_id is None:
            made = await self._sources.create("webcam", message.name or "webcam")
            source_id = made.id
        elif message.name is not None:
            raise InvalidRequest("name is the name of a source that is made: it goes without sourceId")
        try:
            return await self._live.create(
                source_id, message.pipelines, message.profile, message.overlay, message.classes, needs_detector=True
            )
        except BaseException as error:
            if made is not None:
                with contextlib.suppress(NotFound, DatabaseUnavailable):
                    await self._sources.delete(made.id)
            if isinstance(error, Overloaded):
                raise Overloaded(error.message, {"retryAfter": RETRY_AFTER_S}) from None
            raise

    async def find(self, session_id: str) -> LiveSession | Archive:
        """The session if it goes on, else what it has left. Raises NotFound."""
        session = self._live.find(session_id)
        if session is not None and session.ending:
            await session.end("")  # wait until it has
            session = None
        return session if session is not None else await self._live.archive(session_id)
