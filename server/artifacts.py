"""The artifacts: pictures and films of sessions, each a row in the database and a file that was durable before it.

Taken away in the other order: a crash leaves a file without its row at most, which the next start removes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from av import VideoFrame
from pydantic import ConfigDict

from tracks.errors import InvalidRequest, NotFound, Overloaded, StorageFull, VedetteError
from tracks.events import Model
from tracks.events.envelope import new_id
from tracks.jpeg import MEDIA_TYPE, encode_jpeg

from .artifact_files import BlobStore
from .database import Database
from .models import ArtifactRow
from .recent import RecentIds

Kind = Literal["thumbnail", "snapshot", "film"]
KINDS: tuple[Kind, ...] = ("thumbnail", "snapshot", "film")
"""In the order in which they make room: a film and a snapshot were asked for, thumbnails come by themselves."""
QUALITY: Mapping[str, int] = {"thumbnail": 80, "snapshot": 90}
"""Of their JPEG."""
PAGE_ROWS = 1000
MAX_PENDING = 64
"""Pictures on their way to the disk; each holds a frame."""
SLACK = 0.02
"""Of the quota: removed at once beyond what is needed, so that not every picture costs a removal."""
REMOVED_AT_ONCE = 200
SETTLE_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a session; times are Unix seconds."""

    id: str
    session_id: str
    source_id: str
    owner: str
    kind: Kind
    media_type: str
    bytes: int
    width: int
    height: int
    sha256: str
    """Of the file, in hexadecimal digits."""
    at: float
    """When the picture was seen."""
    media_time: float | None
    """Seconds on the session clock."""
    created_at: float

    @property
    def url(self) -> str:
        """Where its bytes are on this server."""
        return f"/artifacts/{self.id}"


class SnapshotOptions(Model):
    """What a client may say of a snapshot that it wants."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"annotated": True}]})

    annotated: bool = True
    """As it was last shown; else as the camera sent it."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said of a picture that is to be stored."""

    session_id: str
    source_id: str
    kind: Kind
    media_time: float | None
    id: str = field(default_factory=new_id)
    at: float = field(default_factory=time.time)


class Artifacts:
    """The artifacts table with its files and its quota. Call on the event loop; every call may raise
    DatabaseUnavailable.

    `threads` encode pictures. Whatever is begun is owned here and ends before `close` does.
    """

    def __init__(self, database: Database, blobs: BlobStore, threads: Executor, owner: str, max_bytes: int) -> None:
        self._database = database
        self._blobs = blobs
        self._threads = threads
        self._owner = owner
        self._max_bytes = max_bytes
        self._room = asyncio.Lock()
        self._tasks: dict[asyncio.Task[Artifact], str] = {}
        self._failing = False
        self._gone = RecentIds()
        self.counts: Counter[str] = Counter()
        """How many there are, by kind."""
        self.bytes = 0
        """Of all files, those that are being written included."""
        self.removed = 0
        """How many the quota has cost."""
        self.failed = 0
        """How many could not be stored."""

    async def start(self) -> None:
        """Make files and rows agree after whatever ended the process before. Call once, before anything else."""
        files = set(await self._blobs.keys())
        after, lost = "", 0
        while rows := await self._values(after):
            after = rows[-1][0]
            missing = [id for id, _, _ in rows if id not in files]
            if missing:
                await self._forget(missing)
                lost += len(missing)
            for id, kind, size in rows:
                if id in files:
                    files.discard(id)
                    self.counts[kind] += 1
                    self.bytes += size
        await self._blobs.delete(files)
        if files or lost:
            log.info("artifacts: removed %d files without a row and %d rows without a file", len(files), lost)

    def begin(self, caption: Caption, frame: VideoFrame) -> asyncio.Task[Artifact]:
        """Begin to store a frame as JPEG. The task raises what `keep` raises; it need not be awaited."""
        return self._begin(caption, self._refuse() if len(self._tasks) >= MAX_PENDING else self._keep(caption, frame))

    def _begin(self, caption: Caption, work: Coroutine[Any, Any, Artifact]) -> asyncio.Task[Artifact]:
        task = asyncio.create_task(work, name="artifact")
        self._tasks[task] = caption.session_id
        task.add_done_callback(self._finished)
        return task

    async def keep(self, caption: Caption, frame: VideoFrame) -> Artifact:
        """Store a frame as JPEG: file and row are durable when this returns. Finished also for a cancelled caller.

        Raises Overloaded when too many are being stored, StorageFull when quota or disk have no room, VedetteError when
        the file cannot be written.
        """
        return await asyncio.shield(self.begin(caption, frame))

    def draft(self, caption: Caption) -> Path:
        """A file for something to be written to, where it is to stay; for `keep_draft` or `drop_draft`."""
        return self._blobs.draft(caption.id)

    async def keep_draft(self, caption: Caption, media_type: str, size: tuple[int, int]) -> Artifact:
        """Store what was written to the draft; `size` is width and height. Returns and raises as `keep`."""
        return await asyncio.shield(self._begin(caption, self._keep_draft(caption, media_type, size)))

    async def drop_draft(self, caption: Caption) -> None:
        """Do without the draft. Safe to call twice, and after it was stored."""
        await self._blobs.drop_draft(caption.id)

    async def get(self, artifact_id: str) -> Artifact:
        """One artifact. Raises NotFound."""
        row = await self._database.read(lambda client: ArtifactRow.get_or_none(id=artifact_id, using_db=client))
        if row is None:
            raise NotFound(f"no artifact {artifact_id!r}")
        return _artifact(row)

    async def page(
        self, session_id: str, after: str = "", limit: int = 100, kind: str | None = None
    ) -> tuple[list[Artifact], str | None]:
        """A session's artifacts with an id > `after`, oldest first, and the `after` of the next page or None."""
        if not 1 <= limit <= PAGE_ROWS:
            raise InvalidRequest(f"limit must be 1 to {PAGE_ROWS}, not {limit}")
        choice = {"session_id": session_id, "id__gt": after, **({} if kind is None else {"kind": kind})}
        found = await self._database.read(
            lambda client: ArtifactRow.filter(**choice).using_db(client).order_by("id").limit(limit + 1)
        )
        return [_artifact(row) for row in found[:limit]], found[limit - 1].id if len(found) > limit else None

    def read(self, artifact: Artifact, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The file's bytes from `start` up to `stop`, in pieces. Raises NotFound at the first when it is gone."""
        return self._blobs.read(artifact.id, start, stop)

    async def delete(self, artifact_id: str) -> None:
        """Remove one, unless it went a while ago. Raises NotFound for one that never was, or went long ago."""
        async with self._room:
            if artifact_id not in self._gone:
                await self._remove([await self.get(artifact_id)])

    async def delete_of(self, session_id: str) -> None:
        """Remove all of a session, those that are being stored included."""
        writing = [task for task, session in self._tasks.items() if session == session_id]
        if writing:
            await asyncio.wait(writing, timeout=SETTLE_TIMEOUT_S)
        async with self._room:
            while (page := await self.page(session_id, limit=REMOVED_AT_ONCE))[0]:
                await self._remove(page[0])

    async def close(self) -> None:
        """Let what is being stored finish, for 2 s at most. Safe to call twice."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=SETTLE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _refuse(self) -> Artifact:
        raise Overloaded(f"{MAX_PENDING} pictures are being stored")

    async def _keep(self, caption: Caption, frame: VideoFrame) -> Artifact:
        content, digest = await asyncio.get_running_loop().run_in_executor(
            self._threads, _encode, frame, QUALITY[caption.kind]
        )
        stored = _artifact_of(caption, self._owner, MEDIA_TYPE, len(content), (frame.width, frame.height), digest)
        return await self._store(stored, lambda: self._blobs.put(stored.id, content))

    async def _keep_draft(self, caption: Caption, media_type: str, size: tuple[int, int]) -> Artifact:
        length, digest = await self._blobs.measure_draft(caption.id)
        stored = _artifact_of(caption, self._owner, media_type, length, size, digest)
        return await self._store(stored, lambda: self._blobs.put_draft(stored.id))

    async def _store(self, artifact: Artifact, put: Callable[[], Awaitable[None]]) -> Artifact:
        """`put` makes its file durable."""
        await self._reserve(artifact.bytes)
        try:
            await put()
            row = ArtifactRow(**{field.name: getattr(artifact, field.name) for field in fields(Artifact)})
            try:
                await self._database.write(lambda client: row.save(using_db=client, force_create=True))
            except BaseException:
                await self._blobs.delete([artifact.id])
                raise
        except BaseException:
            self.bytes -= artifact.bytes
            raise
        self.counts[artifact.kind] += 1
        return artifact

    def _finished(self, task: asyncio.Task[Artifact]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is None:
            if self._failing and not task.cancelled():
                self._failing = False
                log.info("artifacts can be stored again")
            return
        self.failed += 1
        if not self._failing:
            self._failing = True
            known = isinstance(error, VedetteError)
            log.warning("artifacts cannot be stored: %s", error, exc_info=None if known else error)

    async def _reserve(self, size: int) -> None:
        """Count `size` bytes in; where the quota has no room for them, the oldest artifacts go."""
        async with self._room:
            if self.bytes + size > self._max_bytes:
                await self._make_room(max(0.0, self._max_bytes * (1 - SLACK) - size))
            if self.bytes + size > self._max_bytes:
                raise StorageFull(f"{size} bytes are more than the {self._max_bytes} bytes kept for artifacts allow")
            self.bytes += size

    async def _make_room(self, goal: float) -> None:
        """Remove the oldest, thumbnails first, until no more than `goal` bytes are left, or nothing."""
        for kind in KINDS:
            while self.bytes > goal:
                oldest = await self._oldest(kind)
                if not oldest:
                    break
                surplus, going = self.bytes - goal, []
                for artifact in oldest:
                    if surplus <= 0:
                        break
                    going.append(artifact)
                    surplus -= artifact.bytes
                await self._remove(going)
                self.removed += len(going)

    async def _remove(self, artifacts: Sequence[Artifact]) -> None:
        """Rows, then files. Call with `_room` held, so that nothing is counted out twice."""
        ids = [artifact.id for artifact in artifacts]
        await self._forget(ids)
        self._gone.add(ids)
        for artifact in artifacts:
            if artifact.owner == self._owner:
                self.counts[artifact.kind] -= 1
                self.bytes -= artifact.bytes
        await self._blobs.delete(ids)

    async def _forget(self, ids: Sequence[str]) -> None:
        await self._database.write(lambda client: ArtifactRow.filter(id__in=ids).using_db(client).delete())

    async def _oldest(self, kind: Kind) -> list[Artifact]:
        rows = await self._database.read(
            lambda client: (
                ArtifactRow.filter(owner=self._owner, kind=kind).using_db(client).order_by("id").limit(REMOVED_AT_ONCE)
            )
        )
        return [_artifact(row) for row in rows]

    async def _values(self, after: str) -> list[tuple[str, str, int]]:
        """Id, kind and size of this node's next artifacts."""
        rows: Any = await self._database.read(
            lambda client: (
                ArtifactRow.filter(owner=self._owner, id__gt=after)
                .using_db(client)
                .order_by("id")
                .limit(PAGE_ROWS)
                .values_list("id", "kind", "bytes")
            )
        )
        return list(rows)


def _encode(frame: VideoFrame, quality: int) -> tuple[bytes, str]:
    """Blocking."""
    content = encode_jpeg(frame, quality)
    return content, hashlib.sha256(content).hexdigest()


def _artifact_of(
    caption: Caption, owner: str, media_type: str, length: int, size: tuple[int, int], digest: str
) -> Artifact:
    return Artifact(
        **{field.name: getattr(caption, field.name) for field in fields(Caption)},
        owner=owner,
        media_type=media_type,
        bytes=length,
        width=size[0],
        height=size[1],
        sha256=digest,
        created_at=time.time(),
    )


def _artifact(row: ArtifactRow) -> Artifact:
    values: Mapping[str, Any] = {field.name: getattr(row, field.name) for field in fields(Artifact)}
    return Artifact(**values)
