"""Engines whose time is over: each is closed once what was asked of it is answered and no session uses it any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tracks.errors import VedetteError
from tracks.worker import Worker

AnyWorker = Worker[Any, Any, Any]


class _Nothing(VedetteError):
    """Nothing is asked: it is waited for the turn."""


class Retired:
    """Closes workers. `close` closes all, whoever uses them."""

    def __init__(self) -> None:
        self._waiting: dict[AnyWorker, set[str]] = {}
        """Ids of the sessions that still use it."""
        self._held: Counter[AnyWorker] = Counter()
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, workers: Iterable[AnyWorker], users: Collection[str]) -> None:
        """Close these workers once the sessions of these ids are over."""
        self._waiting.update((worker, set(users)) for worker in workers)
        self._close_idle()

    @contextmanager
    def held(self, worker: AnyWorker) -> Iterator[None]:
        """Who asks a worker for something now has it to the end, also when its time comes meanwhile."""
        self._held[worker] += 1
        try:
            yield
        finally:
            self._held[worker] -= 1
            if not self._held[worker]:
                del self._held[worker]
            self._close_idle()

    def over(self, session_id: str) -> None:
        """A session has ended."""
        for users in self._waiting.values():
            users.discard(session_id)
        self._close_idle()

    async def close(self) -> None:
        """Close every worker. Safe to call twice."""
        self._held.clear()
        for users in self._waiting.values():
            users.clear()
        self._close_idle()
        if self._closing:
            await asyncio.wait(self._closing)

    def _close_idle(self) -> None:
        for worker in [worker for worker, users in self._waiting.items() if not users and worker not in self._held]:
            del self._waiting[worker]
            task = asyncio.create_task(_end(worker), name="retire")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _pass() -> Any:
    raise _Nothing("")


async def _end(worker: AnyWorker) -> None:
    """Close the worker after what waits for it now."""
    if worker.ready:
        with suppress(VedetteError):
            await worker.submit(_pass)
    await worker.close()
