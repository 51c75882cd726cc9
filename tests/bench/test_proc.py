"""CPU time and holdings out of /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from bench import proc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")

ONE_MORE = """
import os, sys, threading
print("ready", flush=True)
sys.stdin.readline()
file, released = open(os.devnull), threading.Event()
threading.Thread(target=released.wait).start()
print("more", flush=True)
sys.stdin.read()
released.set()
"""
"""A program that opens a file and starts a thread when it is told to."""


class Thread:
    """A named thread that has burnt CPU time and lives until it is released."""

    def __init__(self, name: str, cpu_s: float) -> None:
        self._name = name
        self._cpu_s = cpu_s
        self._burnt, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._burnt.wait(30)

    def _run(self) -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(self._name)
        while time.thread_time() < self._cpu_s:
            pass
        self._burnt.set()
        self._release.wait(30)

    def end(self) -> None:
        self._release.set()
        self._thread.join()


@pytest.fixture
def threads() -> Iterator[list[Thread]]:
    running: list[Thread] = []
    yield running
    for thread in running:
        thread.end()


def test_only_threads_named_after_a_worker_count_as_the_detector(threads: list[Thread]) -> None:
    """The rest of the process is outside; a parenthesis or a space in a name does no harm."""
    before = proc.cpu(os.getpid())
    threads += [Thread("worker-detector", 0.2), Thread("od d) name", 0.3)]
    used = proc.cpu(os.getpid()) - before
    assert used.detector_s == pytest.approx(0.2, abs=0.05)
    assert used.total_s - used.detector_s >= 0.28


def test_a_descriptor_and_a_thread_more_are_seen() -> None:
    """Counts are exact, memory is in MB. Looks at a process where nothing else comes and goes."""
    with subprocess.Popen([sys.executable, "-c", ONE_MORE], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        before = proc.holdings(process.pid)
        process.stdin.write("more\n")
        process.stdin.flush()
        assert process.stdout.readline() == "more\n"
        after = proc.holdings(process.pid)
        process.stdin.close()
    assert (after.descriptors - before.descriptors, after.threads - before.threads) == (1, 1)
    assert 3 < after.rss_mb < 1_000


def test_the_machine_is_at_least_as_busy_as_this_process(threads: list[Thread]) -> None:
    """CPU time of all cores, in seconds."""
    before = proc.machine_busy_s()
    threads.append(Thread("busy", 0.3))
    assert proc.machine_busy_s() - before >= 0.25


def test_a_process_that_is_gone_is_an_error() -> None:
    """No zeros are invented."""
    with pytest.raises(FileNotFoundError):
        proc.cpu(2**22 + 1)
