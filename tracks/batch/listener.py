"""All that is said in a film, heard in the same way as a recording by itself."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

from ..asr import NO_HINTS
from ..dictation import AsrWorker, told
from ..errors import VedetteError
from ..media.decode import Tape, decode_audio
from ..media.info import cut_off, damaged
from ..media.limits import FILM, Limits
from ..stats import Stats
from ..transcribe import transcribe
from ..vad import Vad
from .outlet import Outlet


class FilmListener:
    """Listens to one film. Its sound is read as a whole before it is heard: 3.8 MB a minute."""

    def __init__(self, vad: Vad, worker: AsrWorker, stats: Stats) -> None:
        self.at_s = 0.0
        """Media time up to which everything that was said is told."""
        self._vad = vad
        self._worker = worker
        self._stats = stats

    async def run(self, path: Path, outlet: Outlet, limits: Limits = FILM) -> None:
        """Hear it to its end.

        What of it cannot be decoded is left out, and told of. Raises what `decode_audio` and the recogniser raise, and
        UnsupportedMedia when the film ends before the end that it states; what was said before has been told then.
        """
        engine = (await self._worker.start()).info.name
        tape, failure = Tape(), None
        try:
            await self._read(tape, path, outlet, limits)
        except VedetteError as error:
            failure = error
        samples = tape.samples()
        async with aclosing(transcribe(samples, self._vad, self._worker, NO_HINTS, patient=True)) as parts:
            async for part in parts:
                if part.text:
                    end_s = part.words[-1].end_s if part.words else self.at_s
                    outlet.emit("transcript", told(part, engine, final=True), end_s, stored=True)
                    self.at_s = max(self.at_s, end_s)
        if failure is not None:
            raise failure

    async def _read(self, tape: Tape, path: Path, outlet: Outlet, limits: Limits) -> None:
        async with decode_audio(path, limits=limits) as audio:
            async with aclosing(audio.chunks()) as chunks:
                async for chunk in chunks:
                    tape.add(chunk)
                    self._stats.audio_in += 1
            ending, info = audio.ending, audio.info
        assert ending is not None
        self._stats.drops["damaged"] += ending.damaged
        if ending.damaged:
            outlet.on_error(damaged("sound", ending.damaged))
        if ending.cut_off:
            raise cut_off(ending, info.duration_s)
