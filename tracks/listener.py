"""`Listener`: sound in, `speech` and `transcript` events out.

Two things happen at their own pace: windows are told apart as they come, on the event loop, and what is spoken goes to
the recogniser, one request at a time. When that falls behind, partial transcripts go first, then utterances that wait
are joined, and only past a bound is sound lost. Each is counted in `Stats.drops`: `partial`, `joined`, `utterance`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .asr import NO_HINTS, Asr, Hints
from .backlog import Backlog, BacklogOptions, Waiting
from .dictation import AsrWorker, Dictation, told
from .errors import Overloaded, VedetteError
from .events.speech import SpeechData
from .pipeline import EmitData
from .resample import Gap, Window
from .segmenter import Change, Ended, Segmenter, SegmenterOptions, Started, Stopped
from .stats import Stats
from .types import SAMPLE_RATE, Transcript, Utterance
from .vad import WINDOW_S, Vad

RETRY_S = 0.25
"""Until a recogniser that had no room is asked again, and at least until one that could not be had is."""


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """How a session listens."""

    segmenter: SegmenterOptions = field(default_factory=SegmenterOptions)
    backlog: BacklogOptions = field(default_factory=BacklogOptions)
    hints: Hints = NO_HINTS
    partial_every_s: float = 0.4
    """Of sound, and twice as often until the first words; a recogniser that takes longer is asked as often as it
    answers."""
    mute_s: float = 1.5
    """An utterance ends when no sound at all has come for so long."""
    last_words_s: float = 5.0
    """So long `close` waits for what was said last: pocketsphinx takes about that for 10 s of speech."""


class Listener:
    """Listens to one session. Everything is called on the event loop.

    `emit` is given every event, `on_error` what went wrong, once for each way of failing in a row. Without a recogniser
    it still tells who speaks when.
    """

    def __init__(
        self,
        vad: Vad,
        worker: AsrWorker,
        options: ListenerOptions,
        stats: Stats,
        *,
        emit: EmitData,
        on_error: Callable[[VedetteError], None] = lambda error: None,
    ) -> None:
        self._vad = vad
        self._worker = worker
        self._options = options
        self._stats = stats
        self._emit = emit
        self._on_error = on_error
        self._stream = vad.stream()
        self._segmenter = Segmenter(options.segmenter)
        self._backlog = Backlog(options.backlog)
        self._dictation: Dictation | None = None
        """Of the utterance that goes on."""
        self._asked: dict[bool, Dictation] = {}
        """By whether it is final, of the utterance that the recogniser was asked for last."""
        self._abandoned: list[Dictation] = []
        self._engine = ""
        self._follows_meanwhile = False
        self._unheard_s = 0.0
        """Sound since the last partial transcript was due."""
        self._partial_due = False
        self._partial_took_s = 0.0
        self._work = asyncio.Event()
        """There may be something for the recogniser to finish."""
        self._stir = asyncio.Event()
        """There may be a partial transcript to be asked for, or something to be forgotten."""
        self._task: asyncio.Task[None] | None = None
        self._mute_timer: asyncio.TimerHandle | None = None
        self._heard_at_s = 0.0
        self._deaf = False
        """There is no recogniser to be had so far."""
        self._closing = False
        self._cut_off = False
        """Nobody waits for the recogniser any more; read on its thread."""
        self._failing: str | None = None
        stats.queues["utterances"] = lambda: len(self._backlog)

    def start(self) -> None:
        """Begin to recognise; loads the recogniser if need be."""
        self._task = asyncio.create_task(self._recognise(), name="listen")

    def hear(self, heard: Window | Gap) -> None:
        """Hear the next window, or that there is a gap. Takes 0.15 ms."""
        if isinstance(heard, Gap):
            self.flush()
            return
        self._heard_at_s = time.monotonic()
        probability = self._stream.probability(heard.samples)
        self._changed(self._segmenter.push(heard.samples, probability, heard.start_s))
        if self._dictation is not None:
            self._unheard_s += WINDOW_S
            every_s = self._options.partial_every_s / (1 if self._dictation.told else 2)
            if self._unheard_s >= every_s and not self._deaf:
                self._unheard_s = 0.0
                if self._partial_due:
                    self._stats.drops["partial"] += 1
                self._partial_due = True
                self._stir.set()

    def flush(self) -> None:
        """The sound stops here, or has a gap: end what goes on. What comes next begins anew."""
        self._changed(self._segmenter.flush())
        self._stream = self._vad.stream()

    async def close(self) -> None:
        """End, after the last words have been recognised, or `last_words_s`."""
        self.flush()
        self._closing = True
        self._work.set()
        self._stir.set()
        if self._mute_timer is not None:
            self._mute_timer.cancel()
        if self._task is None:
            return
        if self._worker.ready:
            await asyncio.wait((self._task,), timeout=self._options.last_words_s)
        self._cut_off = True
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        left = self._backlog.clear()
        self._stats.drops["utterance"] += sum(waiting.joined for waiting in left)
        if self._worker.ready:
            for dictation in (*self._abandoned, *self._asked.values(), *(waiting.dictation for waiting in left)):
                self._forget(dictation)

    def _changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case Started(at_s):
                    self._begin(self._options.segmenter.min_speech_s)
                    self._emit("speech", SpeechData(phase="started"), at_s, stored=False)
                    self._watch_mute(self._options.mute_s)
                case Ended(utterance, split):
                    if self._dictation is not None:
                        self._wait(Waiting(utterance, self._dictation, time.monotonic()))
                    self._dictation = None
                    if split:
                        self._begin(0.0)
                case Stopped(at_s):
                    self._let_go(self._dictation)
                    self._dictation, self._partial_due = None, False
                    self._emit("speech", SpeechData(phase="stopped"), at_s, stored=False)

    def _begin(self, unheard_s: float) -> None:
        self._dictation = Dictation(self._options.hints, self._is_cut_off)
        self._unheard_s, self._partial_due = unheard_s, False

    def _wait(self, waiting: Waiting, *, first: bool = False) -> None:
        """Queue an utterance for its final transcript, if there is room."""
        if self._deaf:
            return
        lost = self._backlog.add(waiting, first=first)
        for each in lost:
            self._let_go(each.dictation)
            self._stats.drops["utterance"] += each.joined
        if lost:
            seconds = sum(len(each.utterance.samples) for each in lost) / SAMPLE_RATE
            self._fail(Overloaded(f"speech recognition is behind: {seconds:.1f} s of speech were lost"))
        self._work.set()

    def _let_go(self, dictation: Dictation | None) -> None:
        if dictation is not None and dictation.begun:
            self._abandoned.append(dictation)
            self._stir.set()

    def _watch_mute(self, wait_s: float) -> None:
        if self._mute_timer is not None:
            self._mute_timer.cancel()
        self._mute_timer = asyncio.get_running_loop().call_later(wait_s, self._look_if_mute)

    def _look_if_mute(self) -> None:
        """A microphone that is cut off sends nothing, and so no gap either."""
        if self._segmenter.speaking:
            left_s = self._heard_at_s + self._options.mute_s - time.monotonic()
            if left_s <= 0:
                self.flush()
            else:
                self._watch_mute(left_s)

    async def _recognise(self) -> None:
        """Ask the recogniser for whatever is due until closed: what is final, and, as far as it can do both, partial
        transcripts of who speaks meanwhile."""
        asr = await self._recogniser()
        self._engine, self._follows_meanwhile = asr.info.name, asr.follows_meanwhile
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._finals(), name="listen-finals")
            tasks.create_task(self._partials(), name="listen-partials")

    async def _recogniser(self) -> Asr:
        """The recogniser; one that cannot be had is told of, and asked for again. Nothing waits for it meanwhile: its
        words would come too late."""
        while True:
            try:
                asr = await self._worker.start()
            except VedetteError as error:
                self._deaf = True
                self._backlog.clear()
                self._fail(error)
                await asyncio.sleep(max(RETRY_S, self._worker.retry_in_s))
            else:
                self._deaf = False
                return asr

    async def _finals(self) -> None:
        while self._backlog or not self._closing:
            if self._backlog:
                await self._final()
            else:
                self._work.clear()
                await self._work.wait()

    async def _partials(self) -> None:
        while not self._closing:
            while self._abandoned:
                self._forget(self._abandoned.pop())
            if self._partial_due:
                self._partial_due = False
                await self._partial()
            else:
                self._stir.clear()
                await self._stir.wait()

    async def _partial(self) -> None:
        """What has been said so far, unless a final transcript would have to wait for it."""
        if self._backlog and not self._follows_meanwhile:
            self._stats.drops["partial"] += 1
            return
        dictation, utterance = self._dictation, self._segmenter.current()
        if dictation is None or utterance is None or len(utterance.samples) <= dictation.heard:
            return
        silence_s = self._segmenter.silence_s
        if silence_s and self._partial_took_s > self._options.segmenter.min_silence_s - silence_s:
            return
        started_s = time.monotonic()
        self._asked[False] = dictation
        try:
            ask = dictation.partial(utterance)
            transcript = await self._worker.submit(lambda: ask, timeout_s=self._options.partial_every_s, quick=True)
        except Overloaded:
            self._stats.drops["partial"] += 1
            return
        except VedetteError as error:
            self._stats.drops["partial"] += 1
            self._fail(error)
            return
        self._partial_took_s = time.monotonic() - started_s
        self._stats.observe("partial", self._partial_took_s)
        if transcript.text or dictation.told:
            dictation.told = True
            self._tell(transcript, utterance, final=False, stored=False)

    async def _final(self) -> None:
        """The oldest utterance's transcript, joined with those behind it where that is quicker."""
        waiting = self._backlog.take()
        self._stats.drops["joined"] += waiting.joined - 1
        self._asked[True] = waiting.dictation
        ask = waiting.dictation.final(waiting.utterance)
        try:
            transcript = await self._worker.submit(lambda: ask)
        except Overloaded:
            self._wait(waiting, first=True)
            await asyncio.sleep(RETRY_S)
            return
        except VedetteError as error:
            self._stats.drops["utterance"] += waiting.joined
            self._fail(error)
            return
        except asyncio.CancelledError:
            self._stats.drops["utterance"] += waiting.joined
            raise
        if not self._backlog:
            self._failing = None
        self._stats.observe("transcript", time.monotonic() - waiting.ended_s)
        if transcript.text or waiting.dictation.told:  # an empty one takes back what was shown
            self._tell(transcript, waiting.utterance, final=True, stored=bool(transcript.text))

    def _is_cut_off(self) -> bool:
        """Whether nobody waits any more. Asked on the recogniser's thread in the midst of a final transcript, where an
        engine can bear it: whoever speaks now is served then.
        """
        self._worker.meanwhile()
        return self._cut_off

    def _forget(self, dictation: Dictation) -> None:
        """Have the recogniser forget an utterance; nobody waits for that."""
        ask = dictation.abandon()
        with contextlib.suppress(VedetteError):  # when it is closed, there is nothing to forget
            self._worker.submit(lambda: ask, quick=True).add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )

    def _tell(self, transcript: Transcript, utterance: Utterance, *, final: bool, stored: bool) -> None:
        data = told(transcript, self._engine, final=final)
        self._emit("transcript", data, utterance.end_s, stored=stored)

    def _fail(self, error: VedetteError) -> None:
        """Tell of an error once, until the recogniser has caught up or it changed."""
        if self._failing != error.code:
            self._failing = error.code
            self._on_error(error)
