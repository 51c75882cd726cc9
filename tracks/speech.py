"""`SpeechTrack`: audio in, the same audio out, and listened to on the way.

Recognising has a thread of its own and nothing waits for it, so nothing that is heard holds up the sound. Resampling
and voice detection run on the event loop: on a busy machine of two cores all of it takes 12 ms of CPU for a second of
48 kHz stereo, in calls of 0.2 ms. Handing each window to a thread and back would make it more than twice as much.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from .listener import Listener
from .resample import Resampler
from .stats import Stats
from .vision import MediaClock

logger = logging.getLogger(__name__)

OUTPUT_FRAMES = 50
"""Frames that wait for the relay at most, 1 s of 20 ms each; then the oldest is lost and counted."""


class SpeechTrack(MediaStreamTrack):
    """The sound of one session.

    `attach` gives it a source, and another when a publisher returns; pts then go on from where they were. With
    `on_source_ended` the track outlives its source and tells so, else it ends with it. The listener is its owner's, who
    closes it after the track.
    """

    kind = "audio"

    def __init__(self, listener: Listener, stats: Stats, *, on_source_ended: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._listener = listener
        self._stats = stats
        self._on_source_ended = on_source_ended
        self._output: deque[AudioFrame] = deque()
        self._produced = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._offset_s: Fraction | None = None
        """What is added to the source's pts."""
        self._last_s: Fraction | None = None
        """pts of the newest frame that was passed on."""
        self._last_media_s = 0.0
        self._stumbled = False
        self._paused = False
        stats.queues["sound"] = lambda: len(self._output)

    def attach(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        """Read frames from `source` from now on, placed on the session clock by `clock`. Call on the event loop."""
        if self._reader is not None:
            self._reader.cancel()
            self._listener.flush()
        self._offset_s = None
        self._reader = asyncio.create_task(self._read(source, clock), name="speech-read")

    def pause(self, paused: bool) -> None:
        """While paused the sound goes on, but nothing is listened to: what is being said ends here."""
        if paused and not self._paused:
            self._listener.flush()
        self._paused = paused

    async def recv(self) -> AudioFrame:
        """The next frame. Raises MediaStreamError when the track has ended."""
        while not self._output:
            if self.readyState != "live":
                raise MediaStreamError
            self._produced.clear()
            await self._produced.wait()
        return self._output.popleft()

    async def close(self) -> None:
        """End the track and wait for its task."""
        self.stop()
        if self._reader is not None and self._reader is not asyncio.current_task():
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    def stop(self) -> None:
        """End the track: whoever waits in `recv` is told."""
        super().stop()
        if self._reader is not None:
            self._reader.cancel()
        self._produced.set()

    async def _read(self, source: MediaStreamTrack, clock: MediaClock) -> None:
        resampler = Resampler()
        try:
            while True:
                frame = await source.recv()
                if not isinstance(frame, AudioFrame) or frame.pts is None or frame.time_base is None:
                    continue
                self._stats.audio_in += 1
                pts_s = frame.pts * frame.time_base
                media_s = clock.media_time(float(pts_s))
                self._listen(resampler, frame, media_s)
                self._pass_on(frame, frame.time_base, pts_s, media_s)
        except MediaStreamError:
            self._listen(resampler, None, 0.0)
            self._source_ended()

    def _pass_on(self, frame: AudioFrame, time_base: Fraction, pts_s: Fraction, media_s: float) -> None:
        if self._offset_s is None:
            self._offset_s = self._offset(pts_s, media_s)
        if self._offset_s:
            frame.pts = round((pts_s + self._offset_s) / time_base)
        self._last_s, self._last_media_s = pts_s + self._offset_s, media_s
        if len(self._output) >= OUTPUT_FRAMES:
            self._output.popleft()
            self._stats.drops["sound"] += 1
        self._output.append(frame)
        self._produced.set()

    def _offset(self, pts_s: Fraction, media_s: float) -> Fraction:
        """What to add to a source's pts: nothing for the first; later ones go on where the clock is now."""
        if self._last_s is None:
            return Fraction(0)
        elapsed_s = max(Fraction(1, 50), Fraction(media_s - self._last_media_s).limit_denominator(48_000))
        return self._last_s + elapsed_s - pts_s

    def _listen(self, resampler: Resampler, frame: AudioFrame | None, media_s: float) -> None:
        """Whatever goes wrong with listening, the sound goes on."""
        if self._paused:
            return
        try:
            for heard in resampler.flush() if frame is None else resampler.push(frame, media_s):
                self._listener.hear(heard)
            if frame is None:
                self._listener.flush()
        except Exception:
            self._stats.drops["internal"] += 1
            if not self._stumbled:  # the same for every frame would fill the log
                self._stumbled = True
                logger.exception("an audio frame could not be listened to")

    def _source_ended(self) -> None:
        if self._on_source_ended is not None:
            self._on_source_ended()
        else:
            self.stop()
