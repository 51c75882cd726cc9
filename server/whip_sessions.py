"""Sessions of those who publish by `POST /whip`, without having made one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from signaling.messages import Start

from .principal import Principal
from .session import LiveSession
from .sessions import LiveSessions
from .stream.starts import Starts


class WhipSessions:
    """Finds the session that somebody began under a name, so that a publisher who returns goes on in it."""

    def __init__(self, live: LiveSessions, starts: Starts) -> None:
        self._live = live
        self._starts = starts
        self._begun: dict[tuple[str, str], str] = {}
        """Ids of sessions, by who began them and under which name; bounded by how many sessions may run."""
        self._beginning = asyncio.Lock()

    @asynccontextmanager
    async def of(
        self, principal: Principal, name: str, pipelines: Sequence[str], profile: str | None
    ) -> AsyncIterator[LiveSession]:
        """The session that runs, or a new one, which is ended when the block fails. Raises what `Starts.start` does."""
        key = (principal.id, name)
        async with self._beginning:
            for ended in [each for each, id in self._begun.items() if self._running(id) is None]:
                del self._begun[ended]
            found = self._running(self._begun.get(key, ""))
            if found is None:
                start = Start(type="start", name=name, pipelines=list(pipelines), profile=profile)
                session = await self._starts.start(start)
                self._begun[key] = session.row.id
            else:
                session = found
        try:
            yield session
        except BaseException:
            if found is None:
                session.end_soon("the publisher was refused")
            raise

    def _running(self, session_id: str) -> LiveSession | None:
        session = self._live.find(session_id)
        return None if session is None or session.ending else session
