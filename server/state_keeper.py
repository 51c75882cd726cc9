"""States of running sessions, kept in the database however long it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from tracks.errors import DatabaseUnavailable, NotFound, StorageFull
from tracks.events import SessionState

from .store import Sessions

BACKOFF_S = (0.1, 5.0)
"""First and longest wait before it is tried again, doubled in between."""
CLOSE_TIMEOUT_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a row should say."""

    state: SessionState
    reason: str | None
    clock_origin: float | None
    at: float = field(default_factory=time.time)


class StateKeeper:
    """Writes the newest state of each session; one that is overtaken before it could be written never is.

    There are no more sessions to be kept than were running when the database went away: without it none can be made.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._wanted: dict[str, _Wanted] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def keep(self, session_id: str, state: SessionState, reason: str | None, clock_origin: float | None) -> None:
        """Return once this state, or a newer one, is committed. Goes on with it also when the caller is cancelled."""
        self._wanted[session_id] = _Wanted(state, reason, clock_origin)
        task = self._tasks.get(session_id)
        if task is None:
            task = asyncio.create_task(self._write(session_id), name="session-state")
            self._tasks[session_id] = task
        await asyncio.shield(task)

    async def close(self) -> None:
        """Give what waits a last chance, and end. The next start ends whatever the database says is still running."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks.values()), timeout=CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _write(self, session_id: str) -> None:
        delay_s = BACKOFF_S[0]
        try:
            while wanted := self._wanted.pop(session_id, None):
                try:
                    await self._write_once(session_id, wanted)
                except (DatabaseUnavailable, StorageFull) as error:
                    if delay_s == BACKOFF_S[0]:
                        log.warning("session %s: its state %s waits: %s", session_id, wanted.state, error.message)
                    self._wanted.setdefault(session_id, wanted)
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, BACKOFF_S[1])
                except NotFound:
                    log.warning("session %s is not this server's any more: %s", session_id, wanted.state)
        finally:
            del self._tasks[session_id]

    async def _write_once(self, session_id: str, wanted: _Wanted) -> None:
        ended_at = wanted.at if wanted.state in ("ended", "failed") else None
        await self._sessions.set_state(session_id, wanted.state, wanted.reason, ended_at)
        if wanted.state == "live" and wanted.clock_origin is not None:
            await self._sessions.set_clock_origin(session_id, wanted.clock_origin)
