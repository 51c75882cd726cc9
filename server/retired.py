"""Engines whose time is over: each is closed once what was asked of it is answered and no session uses it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tracks.errors import VedetteError
from tracks.worker import Worker

AnyWorker = Worker[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Renewal:
    """What another registry has brought: loaded, and used from `use` on, or else to be dropped."""

    use: Callable[[], list[AnyWorker]]
    """Returns the workers whose time is over."""
    drop: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Waiting:
    workers: list[AnyWorker]
    users: set[str]
    """Ids of sessions."""


class _Nothing(VedetteError):
    """Nothing is asked: it is waited for the turn."""


class Retired:
    """Closes workers. `close` closes all, whoever uses them."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._closing: set[asyncio.Task[None]] = set()

    def add(self, workers: Iterable[AnyWorker], users: Collection[str]) -> None:
        """Close these workers once the sessions of these ids are over."""
        self._waiting.append(_Waiting(list(workers), set(users)))
        self._close_idle()

    def over(self, session_id: str) -> None:
        """A session has ended."""
        for each in self._waiting:
            each.users.discard(session_id)
        self._close_idle()

    async def close(self) -> None:
        """Close every worker. Safe to call twice."""
        for each in self._waiting:
            each.users.clear()
        self._close_idle()
        if self._closing:
            await asyncio.wait(self._closing)

    def _close_idle(self) -> None:
        for each in [each for each in self._waiting if not each.users]:
            self._waiting.remove(each)
            for worker in each.workers:
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
