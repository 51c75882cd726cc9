"""One engine on one thread, shared by all sessions: the seam where a remote engine could plug in.

Requests that wait while the engine is busy are taken together, as far as the engine batches, so that many sessions cost
fewer calls than their number. The engine is built, called and closed on its own thread and never anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from .errors import ModelUnavailable, Overloaded, VedetteError

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """What every engine has."""

    max_batch: int

    def close(self) -> None:
        """Free what the engine holds. Called on the worker's thread."""


CLOSE_TIMEOUT_S = 3.0

E = TypeVar("E", bound=Engine)
X = TypeVar("X")
Y = TypeVar("Y")


@dataclass(slots=True)
class _Request(Generic[X, Y]):
    item: X
    key: Hashable
    deadline_s: float | None
    future: asyncio.Future[Y]
    loop: asyncio.AbstractEventLoop

    def settle(self, result: Y | None, error: Exception | None) -> None:
        """Hand the outcome to whoever awaits it; the loop may be gone by now."""

        def deliver() -> None:
            if self.future.done():
                return
            if error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result(result)  # type: ignore[arg-type]

        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(deliver)


class Worker(Generic[E, X, Y]):
    """Runs `call(engine, items)` on one thread.

    `build` makes the engine, on that thread. `call` takes up to `engine.max_batch` items that share `batch_key(item)`
    and returns one result each; neither is ever run on the event loop. At most `max_pending` requests wait: more are
    refused with `Overloaded` and counted. `niceness` (Linux) lets the threads of the engine give way to all others.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[], E],
        call: Callable[[E, Sequence[X]], Sequence[Y]],
        *,
        batch_key: Callable[[X], Hashable] = lambda item: None,
        max_pending: int = 16,
        niceness: int = 0,
    ) -> None:
        self.name = name
        self.refused = 0
        """Requests refused because too many waited, or because their deadline had passed when their turn came."""
        self.calls = 0
        """Calls of the engine."""
        self.items = 0
        """Items those calls took; items / calls is the mean batch."""
        self._build = build
        self._call = call
        self._batch_key = batch_key
        self._max_pending = max_pending
        self._niceness = niceness
        self._pending: deque[_Request[X, Y]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._built: asyncio.Future[E] | None = None

    def __len__(self) -> int:
        return len(self._pending)

    async def start(self) -> E:
        """Build the engine if need be and wait until it is there; safe to call from many tasks.

        The engine is returned for reading its description: call it only through `infer`. Raises what `build` raised.
        """
        if self._built is None:
            loop = asyncio.get_running_loop()
            self._built = loop.create_future()
            self._thread = threading.Thread(
                target=self._run, args=(loop, self._built), name=f"worker-{self.name}", daemon=True
            )
            self._thread.start()
        return await asyncio.shield(self._built)

    @property
    def ready(self) -> bool:
        """True once the engine is built."""
        return self._built is not None and self._built.done() and self._built.exception() is None

    async def infer(self, item: X, *, timeout_s: float | None = None) -> Y:
        """Result of the engine for one item, which is built first if need be. Raises what `submit` says."""
        await self.start()
        return await self.submit(item, timeout_s=timeout_s)

    def submit(self, item: X, *, timeout_s: float | None = None) -> asyncio.Future[Y]:
        """Queue an item, now; the future has the engine's result. Call on the event loop, after `start`.

        It, or the call, raises Overloaded when too many wait or `timeout_s` passes before its turn, ModelUnavailable
        when the engine fails or is closed.
        """
        loop = asyncio.get_running_loop()
        if len(self._pending) >= self._max_pending:
            self.refused += 1
            raise Overloaded(f"{self.name} has {self._max_pending} requests waiting")
        request = _Request[X, Y](
            item,
            self._batch_key(item),
            None if timeout_s is None else time.monotonic() + timeout_s,
            loop.create_future(),
            loop,
        )
        with self._wake:
            if self._closing:
                raise ModelUnavailable(f"{self.name} is closed")
            self._pending.append(request)
            self._wake.notify()
        return request.future

    async def close(self) -> None:
        """End the thread after the call in flight; waiting requests fail. Safe to call twice.

        An engine that is still being built is not waited for much longer: its thread ends with the process.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT_S)

    def _run(self, loop: asyncio.AbstractEventLoop, built: asyncio.Future[E]) -> None:
        _introduce_thread(f"worker-{self.name}", self._niceness)
        try:
            engine = self._build()
        except Exception as error:
            failure = error if isinstance(error, VedetteError) else ModelUnavailable(f"{self.name}: {error}")
            if failure is not error:
                logger.exception("%s could not be built", self.name)
            _settle_threadsafe(loop, built, None, failure)
            return
        _settle_threadsafe(loop, built, engine, None)
        try:
            while (batch := self._take(engine.max_batch)) is not None:
                self._serve(engine, batch)
        finally:
            engine.close()
            for request in self._pending:
                request.settle(None, ModelUnavailable(f"{self.name} was closed"))
            self._pending.clear()

    def _serve(self, engine: E, batch: list[_Request[X, Y]]) -> None:
        try:
            results = self._call(engine, [request.item for request in batch])
        except Exception as error:
            logger.exception("%s failed on a batch of %d", self.name, len(batch))
            failure = error if isinstance(error, VedetteError) else ModelUnavailable(f"{self.name} failed: {error}")
            for request in batch:
                request.settle(None, failure)
            return
        self.calls += 1
        self.items += len(batch)
        for request, result in zip(batch, results, strict=True):
            request.settle(result, None)

    def _take(self, limit: int) -> list[_Request[X, Y]] | None:
        """The oldest request and those that can share its call; None at the end."""
        with self._wake:
            while True:
                self._wake.wait_for(lambda: self._pending or self._closing)
                if self._closing:
                    return None
                now = time.monotonic()
                batch: list[_Request[X, Y]] = []
                left: deque[_Request[X, Y]] = deque()
                for request in self._pending:
                    if request.future.cancelled():
                        continue
                    if request.deadline_s is not None and request.deadline_s < now:
                        self.refused += 1
                        request.settle(None, Overloaded(f"{self.name} was busy past the deadline"))
                    elif len(batch) < limit and (not batch or request.key == batch[0].key):
                        batch.append(request)
                    else:
                        left.append(request)
                self._pending = left
                if batch:
                    return batch


def _settle_threadsafe(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[E], result: E | None, error: Exception | None
) -> None:
    def deliver() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            future.exception()  # it may be that nobody awaits: the error was logged where it arose
        else:
            future.set_result(result)  # type: ignore[arg-type]

    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(deliver)


def _introduce_thread(name: str, niceness: int) -> None:
    """Give the calling thread a name and a priority with the operating system, where that can be done for one thread.

    `top -H` then tells who uses the CPU. Threads that a native library starts from this one inherit both. Python names
    threads by itself from 3.14 on.
    """
    if sys.platform != "linux":
        return
    thread_id = threading.get_native_id()
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{thread_id}/comm").write_text(name[:15])
        os.setpriority(os.PRIO_PROCESS, thread_id, niceness)
