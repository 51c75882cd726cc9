"""The server's end of pocketsphinx's process: started, asked, stopped, and started again when it broke."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable

from ..errors import ModelUnavailable
from .sphinx_pipe import Op, Spoken, read_reply, write_request

TIMEOUT_S = 60.0
"""The longest that one request may take: a second of speech takes half a second, the end of 30 s about 2 s."""
STOP_S = 2.0
POLL_S = 0.05
"""How often something else may be done while a reply is waited for."""


class SphinxProcess:
    """One process of `sphinx_child`. Blocking; for one thread."""

    def __init__(self, timeout_s: float = TIMEOUT_S, ready_for: Op = Op.WHOLE) -> None:
        """Start it and wait for its first words; the decoder behind `ready_for` is made beforehand.

        Raises ModelUnavailable when there are none.
        """
        self.timeout_s = timeout_s
        paths = os.pathsep.join(each for each in sys.path if each)
        # In a session of its own, since Ctrl-C on the server is not meant for it: it ends when its pipe is closed.
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tracks.asr.sphinx_child", ready_for.name],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        atexit.register(self._child.kill)
        self._reply()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._child.poll() is None

    def ask(
        self, op: Op, stream: int = 0, samples: bytes = b"", *, meanwhile: Callable[[], object] | None = None
    ) -> list[Spoken]:
        """One request; `meanwhile` is called again and again until it is answered.

        Raises ModelUnavailable when the process broke or says nothing for too long; it is gone then.
        """
        assert self._child.stdin is not None
        try:
            write_request(self._child.stdin, op, stream, samples)
        except OSError as error:
            raise self._broken(f"it cannot be reached: {error}") from error
        return self._reply(meanwhile)

    def close(self) -> None:
        """End it. Safe to call twice."""
        atexit.unregister(self._child.kill)
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _reply(self, meanwhile: Callable[[], object] | None = None) -> list[Spoken]:
        assert self._child.stdout is not None
        overdue = threading.Timer(self.timeout_s, self._child.kill)
        overdue.start()
        try:
            while meanwhile is not None and not select.select([self._child.stdout], [], [], POLL_S)[0]:
                meanwhile()
            return read_reply(self._child.stdout)
        except (EOFError, OSError, ValueError) as error:
            raise self._broken(str(error)) from error
        finally:
            overdue.cancel()
            overdue.join()

    def _broken(self, why: str) -> ModelUnavailable:
        self._child.kill()
        self.close()
        return ModelUnavailable(f"pocketsphinx's process broke: {why}, exit status {self._child.returncode}")
