"""Artifacts: durable in the right order, found again or removed after a crash, and never more than the quota."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from server.artifacts import MAX_PENDING, Artifact, Caption
from tests.fakes import SIZE, picture
from tests.killing import told_until_killed
from tests.server.albums import Store, opened
from tests.server.databases import Place
from tests.waiting import until
from tracks.errors import DatabaseUnavailable, InvalidRequest, NotFound, Overloaded, StorageFull, VedetteError
from tracks.events.envelope import new_id


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with opened(place) as store:
        yield store


async def content(store: Store, artifact: Artifact, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.artifacts.read(artifact, start, stop or artifact.bytes)])


async def test_what_is_kept_is_found_again(store: Store) -> None:
    """File and row tell of the same picture; a part of it can be read; nothing else is in the folder."""
    artifact = await store.keep("s", "snapshot")
    assert await store.artifacts.get(artifact.id) == artifact
    data = await content(store, artifact)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (artifact.bytes, artifact.sha256)
    assert (artifact.width, artifact.height, artifact.media_type, artifact.media_time) == (*SIZE, "image/jpeg", 1.5)
    assert artifact.url == f"/artifacts/{artifact.id}"
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == SIZE
        assert image.getpixel((230, 150)) == pytest.approx((230, 230, 230), abs=6)
    assert await content(store, artifact, 10, 20) == data[10:20]
    assert store.files == {artifact.id}
    assert (store.artifacts.counts, store.artifacts.bytes) == ({"snapshot": 1}, artifact.bytes)


async def test_artifacts_are_paged_by_session_and_kind(store: Store) -> None:
    """Oldest first; other sessions' and other kinds are left out; a bad limit is named."""
    mine = [await store.keep("a", kind) for kind in ("thumbnail", "snapshot", "thumbnail")]
    await store.keep("b")
    assert await store.artifacts.page("a") == (mine, None)
    assert await store.artifacts.page("a", limit=2) == (mine[:2], mine[1].id)
    assert await store.artifacts.page("a", after=mine[1].id) == (mine[2:], None)
    assert await store.artifacts.page("a", kind="snapshot") == (mine[1:2], None)
    for limit in (0, 1001):
        with pytest.raises(InvalidRequest, match="limit must be 1 to 1000"):
            await store.artifacts.page("a", limit=limit)


async def test_removed_is_removed(store: Store) -> None:
    """Row, file and count go; a second time nothing more happens."""
    artifact, other = await store.keep("a"), await store.keep("b")
    await store.artifacts.delete(artifact.id)
    assert store.files == {other.id}
    assert (store.artifacts.counts["thumbnail"], store.artifacts.bytes) == (1, other.bytes)
    with pytest.raises(NotFound):
        await store.artifacts.get(artifact.id)
    await store.artifacts.delete(artifact.id)
    assert (store.artifacts.counts["thumbnail"], store.artifacts.bytes) == (1, other.bytes)
    with pytest.raises(NotFound):
        await store.artifacts.delete("nowhere")


async def test_a_sessions_artifacts_go_together(store: Store) -> None:
    """Those that are being written go, too; another session's stay."""
    for _ in range(3):
        await store.keep("a")
    other = await store.keep("b")
    store.disk.works.clear()
    late = store.artifacts.begin(Caption("a", "source", "snapshot", None), picture(1))
    await until(lambda: store.disk.asked == 5)
    removing = asyncio.create_task(store.artifacts.delete_of("a"))
    store.disk.works.set()
    await removing
    assert late.done()
    assert await store.artifacts.page("a") == ([], None)
    assert store.files == {other.id}


@pytest.mark.parametrize(
    "key", ["../vedette.db", "/etc/passwd", "", ".", "a" * 36, "019A0000-0000-7000-8000-000000000000"]
)
async def test_nothing_but_an_id_reaches_the_folder(store: Store, key: str) -> None:
    """A key that is no UUID in its canonical form is refused, whatever it is wanted for."""
    with pytest.raises(InvalidRequest, match="expected a UUID"):
        await anext(store.disk.read(key, 0, 1))
    with pytest.raises(InvalidRequest, match="expected a UUID"):
        await store.disk.put(key, b"x")
    with pytest.raises(InvalidRequest, match="expected a UUID"):
        await store.disk.delete([key])


async def test_a_crash_between_the_steps_leaves_nothing_behind(place: Place) -> None:
    """Half written files, files without a row and rows without a file go with the next start; nothing else does."""
    async with opened(place) as store:
        kept, lost = await store.keep(), await store.keep(kind="snapshot")
    (store.folder / lost.id).unlink()
    (store.folder / f"{new_id()}.new").write_bytes(b"half")
    (store.folder / new_id()).write_bytes(b"whole, but no row")
    (store.folder / "notes.txt").write_text("not ours")
    async with opened(place) as store:
        assert store.files == {kept.id, "notes.txt"}
        assert (await store.artifacts.page("s"))[0] == [kept]
        assert (store.artifacts.counts, store.artifacts.bytes) == ({"thumbnail": 1}, kept.bytes)


async def test_another_nodes_artifacts_are_left_alone(place: Place) -> None:
    """Its files are elsewhere: their absence here says nothing, and they take none of this node's room."""
    async with opened(place) as store:
        kept = await store.keep()
        (store.folder / kept.id).rename(place.data_dir / "elsewhere")
    async with opened(place, owner="other") as store:
        assert await store.artifacts.get(kept.id) == kept
        assert (store.artifacts.counts, store.artifacts.bytes) == ({}, 0)
        with pytest.raises(NotFound, match="lost its file"):
            await content(store, kept)


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.server.albums import opened
from tests.server.databases import Place

async def main():
    async with opened(Place(Path(sys.argv[1]), sys.argv[2] or None)) as store:
        while True:
            for artifact in await asyncio.gather(*(store.keep() for _ in range(4))):
                print(artifact.id, artifact.sha256, flush=True)

asyncio.run(main())
"""


async def test_a_killed_process_loses_nothing_that_it_acknowledged(place: Place) -> None:
    """kill -9 in the midst of writing: what was said to be stored is there, whole, and nothing half done stays."""
    told = dict(await told_until_killed(CHILD, place.data_dir, place.url or "", lines=60))
    assert len(told) >= 60
    async with opened(place) as store:
        rows, _ = await store.artifacts.page("s", limit=1000)
        assert store.files == {row.id for row in rows}
        assert told.items() <= {row.id: row.sha256 for row in rows}.items()
        for row in rows:
            assert hashlib.sha256(await content(store, row)).hexdigest() == row.sha256


async def test_a_row_is_there_only_once_its_file_is_durable(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written, synced, renamed, the folder synced, and then the row: seen from outside at each step."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def rows() -> int:
        return int(place.ask("SELECT count(*) FROM artifacts")[0][0])

    def note_fsync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        steps.append(f"{kind} synced, {rows()} rows")
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        steps.append(f"{path.suffix} renamed, {rows()} rows")
        return rename(path, target)

    monkeypatch.setattr("server.artifact_files.os.fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    await store.keep()
    assert steps == ["file synced, 0 rows", ".new renamed, 0 rows", "folder synced, 0 rows"]
    assert rows() == 1


async def test_a_row_that_cannot_be_written_takes_its_file_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the database there is no artifact, and no room is taken by it."""

    async def away(work: object) -> None:
        raise DatabaseUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "write", away)
        with pytest.raises(DatabaseUnavailable):
            await store.keep()
    assert (store.files, store.artifacts.bytes, store.artifacts.failed) == (set(), 0, 1)
    await store.keep()


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, VedetteError)]
)
async def test_a_disk_that_fails_is_told_and_leaves_nothing(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
    error: type[VedetteError],
) -> None:
    """`storage_full` where it is full; no path in the message; one warning for many, and a line when it is over."""

    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number), str(store.folder))

    with monkeypatch.context() as patched:
        patched.setattr("server.artifact_files.os.fsync", fails)
        for _ in range(3):
            with pytest.raises(VedetteError) as caught:
                await store.keep()
            assert type(caught.value) is error
            assert str(store.folder) not in caught.value.message
    assert (store.files, store.artifacts.bytes, store.artifacts.failed) == (set(), 0, 3)
    assert len([record for record in caplog.records if "cannot be stored" in record.message]) == 1
    caplog.set_level(logging.INFO)
    await store.keep()
    assert "artifacts can be stored again" in caplog.text


async def test_the_last_of_the_disk_is_left_to_the_database(place: Place) -> None:
    """With less free than the reserve nothing is written."""
    async with opened(place, reserve_bytes=1 << 60) as store:
        with pytest.raises(StorageFull, match="the disk is full"):
            await store.keep("s", "snapshot")
        assert store.files == set()


async def test_the_quota_costs_the_oldest_thumbnails_first(place: Place) -> None:
    """Room is made by the oldest, thumbnails before snapshots, and counted; what is there never exceeds the quota."""
    async with opened(place) as store:
        size = (await store.keep()).bytes
        await store.artifacts.delete_of("s")
    async with opened(place, max_bytes=size * 6) as store:
        kinds = ("snapshot", "thumbnail", "thumbnail", "snapshot", "thumbnail")
        old = [await store.keep(kind=kind) for kind in kinds]
        assert store.artifacts.removed == 0
        new = []
        for _ in range(4):
            new.append(await store.keep(kind="snapshot"))
            assert sum((store.folder / name).stat().st_size for name in store.files) == store.artifacts.bytes
            assert store.artifacts.bytes <= size * 6
        left = (await store.artifacts.page("s"))[0]
        gone = [artifact.id for artifact in old if artifact not in left]
        assert {old[1].id, old[2].id, old[4].id} <= set(gone)
        assert old[3].id not in gone
        assert [artifact for artifact in left if artifact in new] == new
        assert store.artifacts.removed == len(old) + len(new) - len(left)
        for _ in range(8):
            await store.keep(kind="snapshot")
        left = (await store.artifacts.page("s"))[0]
        assert old[0] not in left
        assert left
        assert store.files == {artifact.id for artifact in left}


async def test_what_is_larger_than_the_quota_is_refused(place: Place) -> None:
    """Nothing is removed for what would not fit anyway... once everything has gone."""
    async with opened(place, max_bytes=100) as store:
        with pytest.raises(StorageFull, match="the 100 bytes kept"):
            await store.keep("s", "snapshot")
        assert (store.files, store.artifacts.bytes) == (set(), 0)


async def test_the_quota_holds_for_many_at_once(place: Place) -> None:
    """Room is reserved before it is used: writers side by side do not count on the same room."""
    async with opened(place) as store:
        size = (await store.keep()).bytes
        await store.artifacts.delete_of("s")
    async with opened(place, max_bytes=size * 10) as store:
        results = await asyncio.gather(*(store.keep() for _ in range(40)), return_exceptions=True)
        kept = [result for result in results if isinstance(result, Artifact)]
        assert all(isinstance(result, Artifact | StorageFull) for result in results)
        assert len(kept) >= 10
        assert len(store.files) == store.artifacts.counts["thumbnail"] == len(kept) - store.artifacts.removed
        assert store.artifacts.bytes == len(store.files) * size <= size * 10


async def test_a_stuck_disk_holds_so_many_pictures_and_no_more(store: Store) -> None:
    """Further ones are refused at once; when it works again, those that waited are stored."""
    store.disk.works.clear()
    waiting = [asyncio.create_task(store.keep()) for _ in range(MAX_PENDING + 3)]
    await until(lambda: store.disk.asked == MAX_PENDING)
    with pytest.raises(Overloaded, match="pictures are being stored"):
        await store.keep()
    store.disk.works.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [Artifact] * MAX_PENDING + [Overloaded] * 3
    assert len(store.files) == MAX_PENDING


async def test_who_gives_up_does_not_leave_half_of_it(store: Store) -> None:
    """A caller that is cancelled does not stop the storing: file and row are there, or neither."""
    store.disk.works.clear()
    keeping = asyncio.create_task(store.keep())
    await until(lambda: store.disk.asked == 1)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    store.disk.works.set()
    await store.artifacts.close()
    assert store.files == {artifact.id for artifact in (await store.artifacts.page("s"))[0]}
    assert len(store.files) == 1


async def test_a_file_that_lost_its_end_is_an_error(store: Store) -> None:
    """What is not there is not made up."""
    artifact = await store.keep()
    os.truncate(store.folder / artifact.id, 10)
    with pytest.raises(VedetteError, match="lost the end"):
        await content(store, artifact)
