from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.waiting import until
from tracks.errors import ModelUnavailable, Overloaded
from tracks.worker import RETRY_S, Worker


class Squarer:
    """An engine that squares integers, in batches, when its gate is open."""

    def __init__(self, max_batch: int = 4) -> None:
        self.max_batch = max_batch
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.closed = False

    def square(self, items: Sequence[int]) -> list[int]:
        self.threads.add(threading.get_ident())
        self.entered.set()
        self.gate.wait(10)
        self.batches.append(list(items))
        return [item * item for item in items]

    def close(self) -> None:
        self.closed = True


def worker_of(engine: Squarer, **options: object) -> Worker[Squarer, int, int]:
    return Worker("squarer", lambda: engine, Squarer.square, **options)  # type: ignore[arg-type]


async def wait_for(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_infer_runs_on_the_workers_own_thread() -> None:
    """An engine is called on one thread, which is not the event loop's."""
    engine = Squarer()
    worker = worker_of(engine)
    assert await asyncio.gather(worker.infer(3), worker.infer(4)) == [9, 16]
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads
    await worker.close()
    assert engine.closed


async def test_requests_that_wait_share_a_call() -> None:
    """While the engine is busy requests gather, and the next call takes as many as it may."""
    engine = Squarer(max_batch=3)
    engine.gate.clear()
    worker = worker_of(engine)
    first = asyncio.create_task(worker.infer(1))
    await wait_for_start(engine)
    rest = [asyncio.create_task(worker.infer(n)) for n in (2, 3, 4, 5)]
    await until(lambda: len(worker) == 4)
    engine.gate.set()
    assert await asyncio.gather(first, *rest) == [1, 4, 9, 16, 25]
    assert engine.batches == [[1], [2, 3, 4], [5]]
    await worker.close()


async def test_an_item_is_made_when_its_turn_comes() -> None:
    """What is newest then is what the engine gets, and what `make` raises reaches the caller."""
    engine = Squarer(max_batch=1)
    engine.gate.clear()
    worker = worker_of(engine)
    await worker.start()
    newest = [1]
    first = worker.submit(lambda: newest[0])
    await wait_for_start(engine)
    second = worker.submit(lambda: newest[0])
    third = worker.submit(lambda: {}[0])
    newest[0] = 5
    engine.gate.set()
    assert await first == 1
    assert await second == 25
    with pytest.raises(KeyError):
        await third
    await worker.close()


async def test_only_items_of_one_key_share_a_call() -> None:
    """Pictures of different sizes are never put into one batch."""
    engine = Squarer()
    engine.gate.clear()
    worker = worker_of(engine, batch_key=lambda item: item % 2)
    first = asyncio.create_task(worker.infer(1))
    await wait_for_start(engine)
    rest = [asyncio.create_task(worker.infer(n)) for n in (2, 3, 4, 5)]
    await until(lambda: len(worker) == 4)
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert engine.batches == [[1], [2, 4], [3, 5]]
    await worker.close()


async def test_more_than_the_bound_is_refused_and_counted() -> None:
    """A request past the bound fails at once with `overloaded`."""
    engine = Squarer(max_batch=1)
    engine.gate.clear()
    worker = worker_of(engine, max_pending=2)
    tasks = [asyncio.create_task(worker.infer(1))]
    await wait_for_start(engine)
    tasks += [asyncio.create_task(worker.infer(n)) for n in (2, 3)]
    await until(lambda: len(worker) == 2)
    with pytest.raises(Overloaded):
        await worker.infer(4)
    assert worker.refused == 1
    engine.gate.set()
    assert await asyncio.gather(*tasks) == [1, 4, 9]
    await worker.close()


async def test_a_request_past_its_deadline_is_not_run() -> None:
    """Work that nobody wants any more is not done."""
    engine = Squarer(max_batch=1)
    engine.gate.clear()
    worker = worker_of(engine)
    first = asyncio.create_task(worker.infer(1))
    await wait_for_start(engine)
    late = asyncio.create_task(worker.infer(2, timeout_s=0.0))
    await until(lambda: len(worker) == 1)
    engine.gate.set()
    assert await first == 1
    with pytest.raises(Overloaded):
        await late
    assert engine.batches == [[1]]
    await worker.close()


async def test_a_failing_engine_fails_its_callers_and_goes_on() -> None:
    """An exception of the engine reaches the caller as `model_unavailable`, and the next call is served."""
    calls = []

    def fail_once(engine: Squarer, items: Sequence[int]) -> list[int]:
        calls.append(items)
        if len(calls) == 1:
            raise RuntimeError("boom")
        return engine.square(items)

    worker: Worker[Squarer, int, int] = Worker("squarer", Squarer, fail_once)
    with pytest.raises(ModelUnavailable, match="boom"):
        await worker.infer(1)
    assert await worker.infer(2) == 4
    await worker.close()


class Site:
    """Where an engine is built, or not; and a clock that the test turns."""

    def __init__(self) -> None:
        self.failure: Exception | None = ModelUnavailable("weights are gone")
        self.builds = 0
        self.gate = threading.Event()
        self.gate.set()
        self.now_s = 0.0
        self.worker = Worker[Squarer, int, int]("squarer", self._build, Squarer.square, clock=lambda: self.now_s)

    def _build(self) -> Squarer:
        self.builds += 1
        self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return Squarer()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    yield made
    await made.worker.close()


async def test_an_engine_that_cannot_be_built_says_why_to_everybody(site: Site) -> None:
    """`start` raises what went wrong, each time it is called, and does not build each time."""
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="weights are gone"):
            await site.worker.infer(1)
    assert not site.worker.ready
    assert site.worker.engine is None
    assert site.worker.problem == "weights are gone"
    assert site.builds == 1


async def test_what_could_not_be_built_is_built_again_after_a_while(site: Site) -> None:
    """Whoever asks when that is over gets the engine, and nothing is left of the failure."""
    with pytest.raises(ModelUnavailable):
        await site.worker.start()
    site.failure = None
    site.now_s += RETRY_S - 0.1
    assert site.worker.retry_in_s == pytest.approx(0.1)
    with pytest.raises(ModelUnavailable):
        await site.worker.start()
    site.now_s += 0.1
    assert await asyncio.gather(site.worker.infer(3), site.worker.infer(4)) == [9, 16]
    assert (site.builds, site.worker.problem) == (2, "")
    assert site.worker.engine is await site.worker.start()


async def test_a_model_that_stays_broken_is_tried_ever_more_seldom(site: Site) -> None:
    """The while doubles with each failure, up to a bound; an engine that fails by itself is told as unavailable."""
    site.failure = RuntimeError("out of memory")
    waits_s = []
    for _ in range(9):
        with pytest.raises(ModelUnavailable, match="squarer: out of memory"):
            await site.worker.start()
        waits_s.append(site.worker.retry_in_s)
        site.now_s += waits_s[-1]
    assert waits_s == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert site.builds == 9


async def test_it_can_be_tried_again_without_waiting(site: Site) -> None:
    """`retry` builds only what could not be built, and only when it is time; the failure is told until that is done."""
    site.gate.clear()
    site.worker.retry()
    assert not [thread for thread in threading.enumerate() if thread.name == "worker-squarer"]
    site.gate.set()
    with pytest.raises(ModelUnavailable):
        await site.worker.start()
    site.worker.retry()
    assert site.builds == 1
    site.failure = None
    site.gate.clear()
    site.now_s += RETRY_S
    site.worker.retry()
    assert site.worker.problem == "weights are gone"
    site.gate.set()
    await until(lambda: site.worker.ready)
    assert (site.builds, site.worker.problem) == (2, "")


async def test_a_closed_worker_builds_nothing_more(site: Site) -> None:
    """What failed before stays as it is."""
    with pytest.raises(ModelUnavailable):
        await site.worker.start()
    await site.worker.close()
    site.now_s += RETRY_S
    site.worker.retry()
    with pytest.raises(ModelUnavailable, match="is closed"):
        await site.worker.start()
    assert site.builds == 1


async def test_close_fails_those_who_wait() -> None:
    """A closed worker leaves nobody waiting and no thread behind."""
    engine = Squarer(max_batch=1)
    engine.gate.clear()
    worker = worker_of(engine)
    running = asyncio.create_task(worker.infer(1))
    await wait_for_start(engine)
    waiting = asyncio.create_task(worker.infer(2))
    await until(lambda: len(worker) == 1)
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    engine.gate.set()
    await closing
    assert await running == 1
    with pytest.raises(ModelUnavailable):
        await waiting
    assert not [thread for thread in threading.enumerate() if thread.name == "worker-squarer"]


async def wait_for_start(engine: Squarer) -> None:
    await wait_for(engine.entered)


async def test_quick_requests_are_served_in_the_midst_of_a_long_call() -> None:
    """Where the call lets them, in their order, on the worker's thread; others wait for its end."""
    began, go_on = threading.Event(), threading.Event()
    served: list[tuple[str, int]] = []

    class Patient:
        max_batch = 1

        def close(self) -> None:
            pass

    def call(engine: Patient, items: Sequence[str]) -> list[str]:
        if items[0] == "long":
            began.set()
            assert go_on.wait(10)
            worker.meanwhile()
        served.extend((item, threading.get_ident()) for item in items)
        return list(items)

    worker = Worker("patient", Patient, call)
    await worker.start()
    asked = [worker.submit(lambda: "long")]
    await asyncio.to_thread(began.wait, 10)
    asked += [worker.submit(lambda: "slow"), *(worker.submit(lambda item=item: item, quick=True) for item in "ab")]
    go_on.set()
    assert await asyncio.gather(*asked) == ["long", "slow", "a", "b"]
    assert [item for item, _ in served] == ["a", "b", "long", "slow"]
    assert len({thread for _, thread in served}) == 1
    await worker.close()
