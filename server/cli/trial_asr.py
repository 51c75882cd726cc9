"""A recogniser tried on a few real words: what it hears, and how long it takes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tracks.asr import Asr, AsrInfo
from tracks.asr.self_test import clip
from tracks.dictation import AsrWorker

from .words import describe_recogniser

SAID = "two men in sunglasses"
"""What is said in the clip."""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a recogniser did."""

    info: AsrInfo
    load_s: float
    heard: str
    """Its words; empty for nothing."""
    took_s: float
    clip_s: float

    @property
    def words(self) -> str:
        """All of it for the terminal, in one line."""
        return f"{describe_recogniser(self.info)}; {self.did}"

    @property
    def did(self) -> str:
        """What it made of the clip, without who it is."""
        heard = f'"{self.heard}"' if self.heard else "nothing"
        return (
            f'loaded in {self.load_s:.1f} s; of "{SAID}", {self.clip_s:.1f} s, it heard {heard} in {self.took_s:.2f} s'
        )


async def try_worker(worker: AsrWorker) -> Hearing:
    """Load as the server does, on its thread, and hear the clip. Raises what loading or recognising raises."""
    began_s = time.monotonic()
    info = (await worker.start()).info
    load_s = time.monotonic() - began_s
    utterance = await asyncio.to_thread(clip)
    began_s = time.monotonic()
    heard = await worker.infer(lambda asr: asr.transcribe(utterance), timeout_s=TIMEOUT_S)
    return Hearing(info, load_s, heard.text, time.monotonic() - began_s, utterance.end_s)


def try_recogniser(asr: Asr, load_s: float) -> Hearing:
    """Hear the clip. Blocking: call on the thread that loaded it. Raises what recognising raises."""
    utterance = clip()
    began_s = time.monotonic()
    heard = asr.transcribe(utterance)
    return Hearing(asr.info, load_s, heard.text, time.monotonic() - began_s, utterance.end_s)
