"""Ids of what there was."""

from __future__ import annotations

from server.recent import RecentIds


def test_the_oldest_ids_are_forgotten() -> None:
    """As many are remembered as there is room for; one that comes again is not counted twice."""
    recent = RecentIds(max_ids=3)
    recent.add(["a", "b"])
    recent.add(["b", "c"])
    assert all(id in recent for id in "abc")
    recent.add(["d"])
    assert [id for id in "abcd" if id in recent] == ["b", "c", "d"]
