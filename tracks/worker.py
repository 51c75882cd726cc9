"""An engine on a thread of its own, shared by all sessions: the seam where a remote engine could plug in.

Requests that wait while the engine is busy are taken together, as far as the engine batches, so that many sessions cost
fewer calls than their number. An engine is built, called and closed on its own thread and never anywhere else. One that
could not be built is tried again when it is next asked for, each time after a longer while: a disk may be mounted late,
and a broken model stays broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
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
RETRY_S = 5.0
"""From a build that failed to the next; twice as long after each failure in a row."""
MAX_RETRY_S = 300.0

E = TypeVar("E", bound=Engine)
X = TypeVar("X")
Y = TypeVar("Y")


@dataclass(slots=True, eq=False)
class _Request(Generic[X, Y]):
    make: Callable[[], X]
    deadline_s: float | None
    future: asyncio.Future[Y]
    loop: asyncio.AbstractEventLoop
    quick: bool = False
    item: X | None = None
    """What `make` gave, once its turn has come."""

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
    """Runs `call(engine, items)` on a thread.

    `build` makes the engine, on that thread. `call` takes up to `engine.max_batch` items that share `batch_key(item)`
    and returns one result each; neither is ever run on the event loop. At most `max_pending` requests wait: more are
    refused with `Overloaded` and counted. `niceness` (Linux) lets the threads of the engine give way to all others.
    `clock` gives the monotonic seconds by which a failed build is tried again.
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
        clock: Callable[[], float] = time.monotonic,
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
        self._engine: E | None = None
        """Only for the worker's thread."""
        self._thread: threading.Thread | None = None
        self._built: asyncio.Future[E] | None = None
        self._clock = clock
        self._wait_s = RETRY_S
        """After the next build that fails."""
        self._build_again_s = -math.inf
        """By the clock: no build begins before."""
        self._why_not_built = ""
        self._last_failure = ""

    def __len__(self) -> int:
        return len(self._pending)

    async def start(self) -> E:
        """Build the engine if need be and wait until it is there; safe to call from many tasks.

        The engine is returned for reading its description: call it only through `infer`. Raises what `build` raised,
        and raises it again without building until it is time for the next try.
        """
        return await asyncio.shield(self._building())

    def retry(self) -> None:
        """Begin to build again what could not be built, if it is time for that; nobody waits for it here."""
        if self._why_not_built and not self._closing:
            self._building()

    @property
    def engine(self) -> E | None:
        """The engine, for reading its description; None until it is built."""
        return self._built.result() if self.ready and self._built is not None else None

    @property
    def ready(self) -> bool:
        """True once the engine is built."""
        return self._built is not None and self._built.done() and self._built.exception() is None

    @property
    def problem(self) -> str:
        """Why the engine could not be built; empty until that was tried, and once it is there."""
        return self._why_not_built

    @property
    def retry_in_s(self) -> float:
        """So long after a failure `start` does not build again; 0 when it does."""
        return max(0.0, self._build_again_s - self._clock())

    async def infer(self, item: X, *, timeout_s: float | None = None) -> Y:
        """Result of the engine for one item, which is built first if need be. Raises what `submit` says."""
        await self.start()
        return await self.submit(lambda: item, timeout_s=timeout_s)

    def submit(
        self, make: Callable[[], X], *, timeout_s: float | None = None, quick: bool = False
    ) -> asyncio.Future[Y]:
        """Queue a request whose item is made, on the worker's thread, when its turn comes: with live media the newest
        one then is worth more than the newest one now. Call on the event loop, after `start`.

        The future has the engine's result. It, or the call, raises Overloaded when too many wait or `timeout_s` passes
        before its turn, ModelUnavailable when the engine fails or is closed, and whatever `make` raises.
        """
        loop = asyncio.get_running_loop()
        if len(self._pending) >= self._max_pending:
            self.refused += 1
            raise Overloaded(f"{self.name} has {self._max_pending} requests waiting")
        request = _Request[X, Y](
            make,
            None if timeout_s is None else time.monotonic() + timeout_s,
            loop.create_future(),
            loop,
            quick,
        )
        with self._wake:
            if self._closing:
                raise ModelUnavailable(f"{self.name} is closed")
            self._pending.append(request)
            self._wake.notify()
        return request.future

    def meanwhile(self) -> None:
        """Serve the quick requests that wait. For a call that takes long, on the worker's thread, wherever the engine
        can bear another call in between.
        """
        while self._engine is not None:
            with self._wake:
                request = None if self._closing else next((each for each in self._pending if each.quick), None)
                if request is None:
                    return
                self._pending.remove(request)
            if self._make(request):
                self._serve(self._engine, [request])

    async def close(self) -> None:
        """End the thread after the call in flight; waiting requests fail. Safe to call twice.

        An engine that is still being built is not waited for much longer: its thread ends with the process.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None and self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT_S)

    def _building(self) -> asyncio.Future[E]:
        """Done when the engine is there, or why it is not."""
        if self._built is None or (self._built.done() and not self.ready and not self.retry_in_s):
            if self._closing:
                raise ModelUnavailable(f"{self.name} is closed")
            loop = asyncio.get_running_loop()
            self._built = loop.create_future()
            self._thread = threading.Thread(
                target=self._run, args=(loop, self._built), name=f"worker-{self.name}", daemon=True
            )
            self._thread.start()
        return self._built

    def _run(self, loop: asyncio.AbstractEventLoop, built: asyncio.Future[E]) -> None:
        introduce_thread(f"worker-{self.name}", self._niceness)
        try:
            engine = self._build()
        except Exception as error:
            failure = error if isinstance(error, VedetteError) else ModelUnavailable(f"{self.name}: {error}")
            if failure is not error:
                logger.exception("%s could not be built", self.name)
            self._build_again_s = self._clock() + self._wait_s
            self._wait_s = min(2 * self._wait_s, MAX_RETRY_S)
            self._why_not_built = failure.message
            _settle_threadsafe(loop, built, None, failure)
            return
        self._why_not_built = ""
        _settle_threadsafe(loop, built, engine, None)
        self._engine = engine
        try:
            while (batch := self._take(engine.max_batch)) is not None:
                self._serve(engine, batch)
        finally:
            engine.close()
            with self._wake:
                for request in self._pending:
                    request.settle(None, ModelUnavailable(f"{self.name} was closed"))
                self._pending.clear()

    def _serve(self, engine: E, batch: list[_Request[X, Y]]) -> None:
        items = [request.item for request in batch if request.item is not None]
        try:
            results = self._call(engine, items)
        except Exception as error:
            if str(error) != self._last_failure:  # the same for every picture would fill the log
                self._last_failure = str(error)
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
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._pending or self._closing)
                if self._closing:
                    return None
                taken = [self._pending.popleft() for _ in range(min(limit, len(self._pending)))]
            made = [request for request in taken if self._make(request)]
            batch = [request for request in made if self._key(request) == self._key(made[0])]
            others = [request for request in made if request not in batch]
            with self._wake:
                self._pending.extendleft(reversed(others))
            if batch:
                return batch

    def _key(self, request: _Request[X, Y]) -> Hashable:
        assert request.item is not None
        return self._batch_key(request.item)

    def _make(self, request: _Request[X, Y]) -> bool:
        """Make the request's item, unless it was; False when there is nothing to run."""
        if request.future.cancelled():
            return False
        if request.item is not None:
            return True
        if request.deadline_s is not None and request.deadline_s < time.monotonic():
            self.refused += 1
            request.settle(None, Overloaded(f"{self.name} was busy past the deadline"))
            return False
        try:
            request.item = request.make()
        except Exception as error:
            request.settle(None, error)
            return False
        return True


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


def introduce_thread(name: str, niceness: int) -> None:
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
