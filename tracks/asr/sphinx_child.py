"""Pocketsphinx in a process of its own: what is said comes in on one pipe, words go out on another.

Its binding (5.1.1) keeps Python's global lock while it decodes: called in the server's process, on whatever thread, it
stops the event loop for as long (23 s were measured for 11 s of speech on a busy machine). What goes over the pipes is
in `sphinx_pipe.py`.

Where the sound comes bit by bit, the decoder knows too little of the voice to normalise it (cepstral mean), and hears
much worse: 42 % of words wrong instead of 24 % (`docs/hearing.md`). So the mean is taken beforehand, from all there is,
by a search for one phrase that costs next to nothing, and only then are words searched.
"""

from __future__ import annotations

import os
import sys
from typing import IO

from pocketsphinx import Decoder

from .sphinx_pipe import BYTES_PER_SECOND, Op, Spoken, read_request, write_reply

NICENESS = {Op.WHOLE: 3, Op.OPEN: 1}
"""By what it is ready for, below the event loop and the codecs. What is final takes long, like a detector; whoever
speaks is followed in a fraction of the time, and waits for neither."""
QUICK_STATES, QUICK_WORDS = 3000, 5
"""Of the search behind partial transcripts, in each frame of 10 ms. With them it takes 0.13 s of processor for a second
of sound instead of 0.53 s, and keeps up beside a detector."""
RESTART_BYTES = 3 * BYTES_PER_SECOND // 2
"""So much of a stream tells enough of the voice to hear it again from the start."""
_MEAN = "mean"


class Listening:
    """One decoder, and the utterance that it is in."""

    def __init__(self, *, quick: bool) -> None:
        """`quick` leaves out the second search and the choice among paths, which only matter to what is final, and
        bounds how many paths are followed. Takes a third of a second."""
        bounds = {"maxhmmpf": QUICK_STATES, "maxwpf": QUICK_WORDS} if quick else {}
        self._decoder = Decoder(loglevel="FATAL", logfn=os.devnull, fwdflat=not quick, bestpath=not quick, **bounds)
        self._decoder.add_keyphrase(_MEAN, "forward")
        self._decoder.activate_search()
        self._speaking = False

    def begin(self, known: bytes) -> None:
        """Start an utterance whose sound is, or begins like, `known`."""
        self.drop()
        self._start_afresh()
        if known:
            self._decoder.activate_search(_MEAN)
            self._decoder.start_utt()
            self._decoder.process_raw(known, no_search=True, full_utt=True)
            mean = self._decoder.get_cmn()
            self._decoder.end_utt()
            self._decoder.activate_search()
            self._start_afresh()
            self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        self._speaking = True

    def _start_afresh(self) -> None:
        """Forget the voice and the noise of whoever spoke before: the same samples always give the same words."""
        self._decoder.reinit_feat()

    def hear(self, samples: bytes) -> None:
        """Search on through these samples."""
        if samples:
            self._decoder.process_raw(samples)

    def drop(self) -> None:
        """End the utterance."""
        if self._speaking:
            self._speaking = False
            self._decoder.end_utt()

    def words(self) -> list[Spoken]:
        """What was said, fillers included."""
        if self._decoder.hyp() is None:
            return []
        return [Spoken(each.word, each.start_frame, each.end_frame, each.prob) for each in self._decoder.seg()]


class Child:
    """The decoder of whole utterances and those of streams: one is made beforehand, others when they are needed."""

    def __init__(self, ready_for: Op) -> None:
        self._whole = Listening(quick=False) if ready_for == Op.WHOLE else None
        self._left = memoryview(b"")
        self._spare = Listening(quick=True) if ready_for == Op.OPEN else None
        self._streams: dict[int, Listening] = {}
        self._heard: dict[int, bytearray] = {}
        self._again: int | None = None
        """The stream that is to be heard again from the start."""

    def answer(self, op: Op, stream: int, samples: bytes) -> list[Spoken]:
        """Do what is asked; words only for `END` and `PUSH`, and for `STEP` while there is something left."""
        match op:
            case Op.WHOLE:
                self._whole = self._whole or Listening(quick=False)
                self._whole.begin(samples)
                self._left = memoryview(samples)
            case Op.STEP if self._whole is not None:
                self._whole.hear(bytes(self._left[:BYTES_PER_SECOND]))
                self._left = self._left[BYTES_PER_SECOND:]
            case Op.END if self._whole is not None:
                self._whole.drop()
                return self._whole.words()
            case Op.OPEN:
                if stream not in self._streams:
                    self._streams[stream] = self._spare or Listening(quick=True)
                    self._spare = None
                self._heard[stream] = bytearray()
            case Op.PUSH:
                return self._push(stream, samples)
            case Op.SHUT:
                self._streams[stream].drop()
                if self._again == stream:
                    self._again = None
        return []

    def catch_up(self) -> None:
        """What is to be done when nobody waits for an answer."""
        if self._again is not None:
            heard = bytes(self._heard[self._again])
            self._streams[self._again].begin(heard)
            self._streams[self._again].hear(heard)
            self._again = None

    def _push(self, stream: int, samples: bytes) -> list[Spoken]:
        listening, heard = self._streams[stream], self._heard[stream]
        before = len(heard)
        heard += samples
        if not before:
            listening.begin(bytes(heard))
        listening.hear(samples)
        # What is known of the voice at the start is little: once there is more, all is heard again.
        if before < RESTART_BYTES <= len(heard):
            self._again = stream
        return listening.words()


def serve(requests: IO[bytes], replies: IO[bytes], ready_for: Op) -> None:
    """Answer until the other side closes the pipe."""
    child = Child(ready_for)
    write_reply(replies, [])
    while (request := read_request(requests)) is not None:
        write_reply(replies, child.answer(*request))
        child.catch_up()


def main() -> None:
    """The entry of the process; its argument names what is made ready."""
    # Nothing that a library prints may get in between.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    ready_for = Op[sys.argv[1]]
    os.nice(NICENESS[ready_for])
    serve(sys.stdin.buffer, replies, ready_for)


if __name__ == "__main__":
    main()
