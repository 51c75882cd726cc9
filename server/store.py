"""Sources and sessions in the database, and the event log. Callers get plain values, never rows."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tortoise.backends.base.client import BaseDBAsyncClient

from tracks.errors import InvalidRequest, NotFound
from tracks.events import SessionState
from tracks.events.envelope import new_id

from .database import Database
from .event_log import EventLog
from .models import SessionRow, SourceRow

__all__ = ["EventLog", "Session", "Sessions", "Source", "Sources"]

PAGE_ROWS = 1000
Mode = Literal["realtime", "batch"]
"""How a session goes through its source: as it comes, or a file as fast as the machine can."""
FINAL_STATES: tuple[SessionState, ...] = ("ended", "failed")
CLIENT_KINDS = ("webcam", "demo", "upload", "rtsp")
"""Kinds of sources whose sessions are over with the process: their client has gone, or, for a camera, a new session
takes its place."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures and sound come from; times are Unix seconds."""

    id: str
    kind: str
    name: str
    url: str | None
    device: str | None
    options: dict[str, Any] | None
    """What else it takes, by kind."""
    created_at: float
    deleted_at: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One run of pipelines over a source; times are Unix seconds."""

    id: str
    source_id: str
    pipelines: tuple[str, ...]
    profile: str
    overlay: str
    classes: tuple[str, ...] | None
    """Labels that are kept, or None for all."""
    state: SessionState
    reason: str | None
    owner: str
    epoch: int
    lease_until: float | None
    last_seq: int
    """Seq of the newest stored event, 0 before the first."""
    clock_origin: float | None
    """Wall clock at media time 0."""
    created_at: float
    ended_at: float | None
    mode: Mode = "realtime"

    @property
    def final(self) -> bool:
        """True when the session can never be live again."""
        return self.state in FINAL_STATES


class Sources:
    """The sources table. Every call raises DatabaseUnavailable when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        kind: str,
        name: str,
        url: str | None = None,
        device: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> Source:
        """Make a source, of that id if one is given; it is committed when this returns."""
        row = SourceRow(
            id=id or new_id(),
            kind=kind,
            name=name,
            url=url,
            device=device,
            options=None if options is None else dict(options),
            created_at=time.time(),
        )
        await self._database.write(lambda client: row.save(using_db=client, force_create=True))
        return _source(row)

    async def get(self, source_id: str) -> Source:
        """One source. Raises NotFound, also when it was deleted."""
        row = await self._database.read(
            lambda client: SourceRow.get_or_none(id=source_id, deleted_at=None, using_db=client)
        )
        if row is None:
            raise _no_source(source_id)
        return _source(row)

    async def by_id(self, ids: Collection[str]) -> dict[str, Source]:
        """Those of the sources that there are, or were before they were deleted."""
        rows = await self._database.read(lambda client: SourceRow.filter(id__in=list(ids)).using_db(client))
        return {row.id: _source(row) for row in rows}

    async def ids(self, kind: str) -> list[str]:
        """Of all sources of a kind."""
        found = await self._database.read(
            lambda client: SourceRow.filter(kind=kind, deleted_at=None).using_db(client).values_list("id", flat=True)
        )
        return [str(each) for each in found]

    async def page(self, after: str = "", limit: int = 100) -> tuple[list[Source], str | None]:
        """Sources with an id > `after`, oldest first, and the `after` of the next page, None when there is none."""
        count = _checked(limit) + 1
        found = await self._database.read(
            lambda client: SourceRow.filter(id__gt=after, deleted_at=None).using_db(client).order_by("id").limit(count)
        )
        return [_source(row) for row in found[:limit]], found[limit - 1].id if len(found) > limit else None

    async def change(self, source_id: str, **values: Any) -> Source:
        """Change its name, url or options; it is committed when this returns. Raises NotFound, also when it was
        deleted."""

        async def update(client: BaseDBAsyncClient) -> SourceRow | None:
            there = SourceRow.filter(id=source_id, deleted_at=None).using_db(client)
            return await there.first() if await there.update(**values) else None

        row = await self._database.write(update)
        if row is None:
            raise _no_source(source_id)
        return _source(row)

    async def of_kind(self, kind: str) -> list[Source]:
        """All sources of a kind."""
        rows = await self._database.read(
            lambda client: SourceRow.filter(kind=kind, deleted_at=None).using_db(client).order_by("id")
        )
        return [_source(row) for row in rows]

    async def delete(self, source_id: str) -> None:
        """Hide a source; its sessions and events stay. One that was deleted stays so. Raises NotFound."""

        async def hide(client: BaseDBAsyncClient) -> bool:
            there = SourceRow.filter(id=source_id).using_db(client)
            changed = await there.filter(deleted_at=None).update(deleted_at=time.time())
            return bool(changed) or await there.exists()

        if not await self._database.write(hide):
            raise _no_source(source_id)


class Sessions:
    """The sessions table. Every call raises DatabaseUnavailable when the database is away."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        """Name of this node, the same after a restart."""

    async def create(
        self,
        source_id: str,
        pipelines: Sequence[str],
        profile: str,
        overlay: str,
        classes: Sequence[str] | None,
        mode: Mode = "realtime",
    ) -> Session:
        """Make a session in state `connecting`, epoch 1, owned by this node; it is committed when this returns."""
        row = SessionRow(
            id=new_id(),
            source_id=source_id,
            pipelines=list(pipelines),
            profile=profile,
            overlay=overlay,
            classes=None if classes is None else list(classes),
            mode=mode,
            state="connecting",
            owner=self._owner,
            epoch=1,
            last_seq=0,
            created_at=time.time(),
        )
        await self._database.write(lambda client: row.save(using_db=client, force_create=True))
        return _session(row)

    async def get(self, session_id: str) -> Session:
        """One session. Raises NotFound."""
        row = await self._database.read(lambda client: SessionRow.get_or_none(id=session_id, using_db=client))
        if row is None:
            raise _no_session(session_id)
        return _session(row)

    async def page(
        self, after: str = "", limit: int = 100, source_id: str | None = None, *, newest: bool = False
    ) -> tuple[list[Session], str | None]:
        """Sessions (of one source) that come after the id `after`, and the `after` of the next page or None.

        Oldest first, or newest first; an empty `after` begins at the beginning of either.
        """
        count = _checked(limit) + 1
        choice = {} if source_id is None else {"source_id": source_id}
        if after:
            choice["id__lt" if newest else "id__gt"] = after
        order = "-id" if newest else "id"
        found = await self._database.read(
            lambda client: SessionRow.filter(**choice).using_db(client).order_by(order).limit(count)
        )
        return [_session(row) for row in found[:limit]], found[limit - 1].id if len(found) > limit else None

    async def set_state(
        self, session_id: str, state: SessionState, reason: str | None = None, ended_at: float | None = None
    ) -> None:
        """Record a state that this node has brought about; a final one gets an end, now unless given.

        Raises NotFound, also when another node owns the session by now.
        """
        if state in FINAL_STATES and ended_at is None:
            ended_at = time.time()
        await self._update(session_id, state=state, reason=reason, ended_at=ended_at)

    async def set_watching(self, session_id: str, profile: str, overlay: str, classes: Sequence[str] | None) -> None:
        """Record how the session watches from now on. Raises NotFound as `set_state` does."""
        await self._update(
            session_id, profile=profile, overlay=overlay, classes=None if classes is None else list(classes)
        )

    async def set_clock_origin(self, session_id: str, at: float) -> None:
        """Record the wall clock (Unix seconds) at media time 0. Raises NotFound as `set_state` does."""
        await self._update(session_id, clock_origin=at)

    async def end_leftovers(self) -> list[Session]:
        """At start: end what a previous process of this node left alive and only a client could bring back.

        The epoch rises, so that a previous process that is not quite dead can store nothing more. Returns the sessions
        as they are now, for their last event.
        """

        async def end(client: BaseDBAsyncClient) -> list[SessionRow]:
            sources = await SourceRow.filter(kind__in=CLIENT_KINDS).using_db(client).values_list("id", flat=True)
            alive = SessionRow.filter(owner=self._owner, source_id__in=sources).exclude(state__in=FINAL_STATES)
            rows = await alive.using_db(client)
            for row in rows:
                row.state, row.reason, row.ended_at, row.epoch = "ended", "server restarted", time.time(), row.epoch + 1
                await row.save(using_db=client, update_fields=("state", "reason", "ended_at", "epoch"))
            return rows

        return [_session(row) for row in await self._database.write(end)]

    async def _update(self, session_id: str, **values: Any) -> None:
        changed = await self._database.write(
            lambda client: SessionRow.filter(id=session_id, owner=self._owner).using_db(client).update(**values)
        )
        if not changed:
            raise _no_session(session_id)


def _source(row: SourceRow) -> Source:
    return Source(**{field.name: getattr(row, field.name) for field in fields(Source)})


def _session(row: SessionRow) -> Session:
    values = {field.name: getattr(row, field.name) for field in fields(Session)}
    values["pipelines"] = tuple(row.pipelines)
    values["classes"] = None if row.classes is None else tuple(row.classes)
    return Session(**values)


def _checked(limit: int) -> int:
    if not 1 <= limit <= PAGE_ROWS:
        raise InvalidRequest(f"limit must be 1 to {PAGE_ROWS}, not {limit}")
    return limit


def _no_source(source_id: str) -> NotFound:
    return NotFound(f"no source {source_id!r}")


def _no_session(session_id: str) -> NotFound:
    return NotFound(f"no session {session_id!r}")
