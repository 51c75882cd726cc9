"""Events that wait for their pictures: in order, for a moment at most, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.artifact_thumbnails import HELD_EVENTS, StoredThumbnail, ThumbnailedEvents
from tests.fakes import picture
from tests.server.albums import Store, opened
from tests.server.databases import Place
from tests.waiting import until
from tracks.errors import StorageFull
from tracks.events import ErrorData, Event, ObjectData
from tracks.events.envelope import new_id
from tracks.stats import Stats
from tracks.thumbnails import Crop


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(Place(tmp_path, None)) as store:
        yield store


class Line:
    """One session's events, and what has come out of them."""

    def __init__(self, store: Store, session_id: str = "s", hold_s: float = 20.0) -> None:
        self.store = store
        self.out: list[tuple[str, bool]] = []
        self.events: list[Event] = []
        self.stats = Stats()
        self.gate = ThumbnailedEvents(store.artifacts, session_id, "source", self._take, self.stats, hold_s=hold_s)

    def _take(self, event: Event, *, stored: bool) -> None:
        self.events.append(event)
        if isinstance(event.data, ErrorData):
            self.out.append((event.data.code, stored))
        elif isinstance(event.data, ObjectData):
            name = event.data.thumbnail
            if name is not None:
                assert name in self.store.files, "an event came before its picture"
            self.out.append((event.data.phase + (" with" if name else ""), stored))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.out]

    def keep(self) -> StoredThumbnail:
        return self.gate.keep(Crop(picture(200), 0.5, 1.0))

    def object(self, thumbnail: StoredThumbnail | None, phase: str = "entered") -> None:
        data = ObjectData(
            phase=phase,  # type: ignore[arg-type]
            track_id=1,
            label="dog",
            first_seen=0.0,
            last_seen=1.0,
            box=(0, 0, 1, 1),
            confidence=0.5,
        )
        if thumbnail is not None:
            data = data.model_copy(update={"thumbnail": thumbnail.id})
        self._emit("object", data)

    def other(self, code: str, *, stored: bool = True) -> None:
        self._emit("error", ErrorData(code=code, message=""), stored=stored)

    def _emit(self, kind: str, data: ObjectData | ErrorData, *, stored: bool = True) -> None:
        event = Event(id=new_id(), kind=kind, session_id="s", source_id="x", at=0.0, media_time=None, data=data)
        self.gate.emit(event, stored=stored)


async def test_an_event_is_stored_after_its_thumbnail(store: Store) -> None:
    """While the disk writes, the event and the stored ones behind it wait, in order; live ones pass."""
    line = Line(store)
    store.disk.works.clear()
    line.other("before")
    line.object(line.keep())
    line.other("after")
    line.other("live", stored=False)
    line.object(None, "left")
    await until(lambda: store.disk.asked == 1)
    assert line.out == [("before", True), ("live", False)]
    assert line.stats.queues["thumbnail"]() == 3
    store.disk.works.set()
    await line.gate.flush()
    assert line.out[2:] == [("entered with", True), ("after", True), ("left", True)]
    assert line.stats.drops["thumbnail"] == 0
    (kept,), _ = await store.artifacts.page("s")
    assert (kept.kind, kept.media_time, line.events[2].data.thumbnail) == ("thumbnail", 1.0, kept.id)  # type: ignore[attr-defined]


async def test_without_pictures_nothing_waits(store: Store) -> None:
    """Events that name none, or one that is there, go on at once."""
    line = Line(store)
    thumbnail = line.keep()
    await until(lambda: thumbnail.settled)
    line.object(None)
    line.object(thumbnail, "dwelt")
    line.other("error")
    assert line.names == ["entered", "dwelt with", "error"]


async def test_several_pictures_at_once_keep_their_order(store: Store) -> None:
    """The second picture may be there first: its event still comes second."""
    line = Line(store)
    first, second = line.keep(), line.keep()
    store.disk.slow[first.id] = asyncio.Event()
    line.object(first, "left")
    line.object(second, "entered")
    await until(lambda: second.settled)
    assert line.names == []
    store.disk.slow[first.id].set()
    await line.gate.flush()
    assert line.names == ["left with", "entered with"]


async def test_a_stuck_disk_costs_the_picture_and_not_the_event(store: Store) -> None:
    """After a moment the event goes without its picture, which is counted; the field is absent, not null."""
    line = Line(store, hold_s=0.05)
    store.disk.works.clear()
    thumbnail = line.keep()
    line.object(thumbnail)
    line.other("after")
    await line.gate.flush()
    assert line.names == ["entered", "after"]
    assert "thumbnail" not in line.events[0].data.wire()
    assert line.events[0].data.wire()["trackId"] == 1
    assert line.stats.drops["thumbnail"] == 1
    assert not thumbnail.lost
    store.disk.works.set()
    await until(lambda: thumbnail.settled)
    line.object(thumbnail, "left")
    assert line.names[-1] == "left with"


async def test_a_full_disk_costs_the_picture_and_not_the_event(store: Store) -> None:
    """What cannot be stored is known to be lost, and every event that waited for it goes without."""
    line = Line(store)
    store.disk.works.clear()
    store.disk.fault = StorageFull("full")
    thumbnail = line.keep()
    line.object(thumbnail)
    line.object(thumbnail, "left")
    store.disk.works.set()
    await line.gate.flush()
    assert line.names == ["entered", "left"]
    assert thumbnail.lost
    assert line.stats.drops["thumbnail"] == 2
    assert store.files == set()


async def test_other_sessions_do_not_wait(store: Store) -> None:
    """Each session has a line of its own."""
    held, free = Line(store), Line(store, "other")
    store.disk.works.clear()
    held.object(held.keep())
    free.other("free")
    assert (held.names, free.names) == ([], ["free"])
    store.disk.works.set()
    await held.gate.flush()


async def test_no_more_than_so_many_events_wait(store: Store) -> None:
    """Past the bound the oldest goes at once without its picture, and nothing is lost."""
    line = Line(store)
    store.disk.works.clear()
    line.object(line.keep())
    for n in range(HELD_EVENTS - 1):
        line.other(str(n))
    assert line.names == []
    line.other("one too many")
    assert line.names == ["entered", *(str(n) for n in range(HELD_EVENTS - 1)), "one too many"]
    assert line.stats.drops["thumbnail"] == 1
    store.disk.works.set()
    await asyncio.wait_for(line.gate.flush(), 1)
