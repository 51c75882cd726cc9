"""A server killed with -9 while it stores events: what it had answered is there, once, and found by everything."""

from __future__ import annotations

import pytest

from bench.event_kills import kill_again_and_again
from tests.server.databases import Place


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.endure)])
async def test_what_was_answered_survives_kill_9(place: Place, kills: int) -> None:
    """Sessions and events that REST had returned, labels and words of events, and seqs without gap or repetition."""
    found = await kill_again_and_again(place.data_dir, place.url, kills)
    assert (found.lost, found.doubled, found.unfound) == (0, 0, 0)
    assert found.told > 100 * kills
    if place.url is None:
        assert place.ask("PRAGMA integrity_check") == [["ok"]]
        assert place.ask("INSERT INTO event_words (event_words) VALUES ('integrity-check')") == []
