"""What listens: the voice detector and the server's own recogniser, put together once and shared by all sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tracks.asr import AsrInfo
from tracks.asr.self_test import clip
from tracks.dictation import AsrWorker
from tracks.errors import VedetteError
from tracks.listener import Listener, ListenerOptions
from tracks.pipeline import EmitData
from tracks.stats import Stats
from tracks.vad import Vad

from .health import Check, CheckResult, why_not
from .recognisers import Recognisers

SELF_TEST_WAIT_S = 4.0
"""How long the self-test waits for the recogniser's turn."""
SELF_TEST_EVERY_S = 600.0


class Hearing:
    """Makes listeners for sessions. `start` loads the recogniser, which sessions would else do."""

    def __init__(self, recognisers: Recognisers, vad: Vad) -> None:
        self.recognisers = recognisers
        self.vad = vad
        self._heard = ""
        self._try_again_s = 0.0

    @property
    def info(self) -> AsrInfo | None:
        """The server's own recogniser; None until it is loaded."""
        asr = self._worker.engine
        return None if asr is None else asr.info

    @property
    def problem(self) -> str:
        """Why there is no recogniser; empty while it is first loaded and once there is one."""
        return self._worker.problem

    async def start(self) -> None:
        """Load the recogniser. Raises ModelUnavailable when there is none to be had."""
        await self._worker.start()

    def listener(self, emit: EmitData, on_error: Callable[[VedetteError], None], stats: Stats) -> Listener:
        """What listens to one session; its owner starts and closes it."""
        return Listener(self.vad, self._worker, ListenerOptions(), stats, emit=emit, on_error=on_error)

    @property
    def check(self) -> Check:
        """Does it hear what is said; degraded when another recogniser runs than was asked for, or none."""
        return Check("recogniser", self._try)

    @property
    def _worker(self) -> AsrWorker:
        return self.recognisers.worker()

    async def _try(self) -> CheckResult:
        info = self.info
        if info is None:
            if not self.problem:
                return CheckResult("ok", {"reason": "the recogniser is still loading"})
            self._worker.retry()
            return CheckResult("degraded", {"reason": why_not(self._worker)})
        detail = {"model": info.name, "engine": info.engine, "reason": info.reason, "fallback": info.fallback}
        try:
            heard = await self._hear()
        except VedetteError as error:
            return CheckResult("degraded", {**detail, "reason": error.message})
        return CheckResult("degraded" if info.fallback or not heard else "ok", {**detail, "heard": heard})

    async def _hear(self) -> str:
        """What the recogniser makes of the clip, asked again after a while: it takes the time of live speech."""
        if time.monotonic() >= self._try_again_s:
            utterance = await asyncio.to_thread(clip)
            heard = await self._worker.infer(lambda asr: asr.transcribe(utterance), timeout_s=SELF_TEST_WAIT_S)
            self._heard, self._try_again_s = heard.text, time.monotonic() + SELF_TEST_EVERY_S
        return self._heard
