from __future__ import annotations

from typing import Any

import pytest

from bench.connects import connects

SLACK = 2
"""OpenVINO starts a thread or two of its own when it likes; a leak of one thing a connect would be far above."""


@pytest.mark.parametrize("count", [16, pytest.param(500, marks=pytest.mark.endure)])
async def test_what_peers_take_they_give_back(start_server: Any, count: int) -> None:
    """After many connects with video, descriptors, threads and tasks are what they were, and memory has not grown."""
    server = await start_server()
    done = await connects(server.url, server.process.pid, count, lambda number: None)
    assert done.after.descriptors <= done.before.descriptors + SLACK
    assert done.after.threads <= done.before.threads + SLACK
    assert done.before.tasks is not None
    assert done.after.tasks is not None
    assert done.after.tasks <= done.before.tasks + SLACK
    if count >= 100:  # a few connects say nothing of memory: it swings by more than they take
        assert done.growth_mb <= 20
