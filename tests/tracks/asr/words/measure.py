"""How well a written model hears: words, times, silence; and which of its heads know where words are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.tracks.asr.words.network import Network
from tests.tracks.asr.words.utterances import Spoken
from tests.tracks.asr.words.vocabulary import Vocabulary
from tests.tracks.asr.words.written import write
from tracks.asr import Hints
from tracks.asr.faster_whisper import load
from tracks.asr.options import Options
from tracks.registry import ModelSpec
from tracks.types import SAMPLE_RATE, Transcript, Utterance


@dataclass(slots=True)
class Heard:
    """Counts, and the errors of times in seconds."""

    words: int = 0
    wrong: int = 0
    languages: int = 0
    spoken: int = 0
    silent: int = 0
    silences: int = 0
    starts_s: list[float] = field(default_factory=list)
    first_starts_s: list[float] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)

    @property
    def right(self) -> float:
        """The part of all words that was heard right, less what was heard beside them."""
        return 1 - self.wrong / max(self.words, 1)

    def __str__(self) -> str:
        def within(errors: list[float]) -> str:
            apart = np.abs(errors)
            return f"{np.mean(apart <= 0.2):.1%} within 0.2 s, {np.mean(apart):.3f} s apart" if errors else "none"

        return (
            f"{self.right:.1%} of {self.words} words right; language {self.languages} of {self.spoken}; "
            f"nothing in {self.silent} of {self.silences} silences; starts {within(self.starts_s)}; "
            f"first starts {within(self.first_starts_s)}; ends {within(self.ends_s)}"
        )


def hear(folder: Path, spoken: Sequence[Spoken], *, together: bool = False) -> Heard:
    """All of it by the model in `folder`, the language being found out; `together`: four at once, in their language."""
    asr = load(ModelSpec("words", "asr", file=folder, engine="faster-whisper"), Options())
    heard = Heard()
    utterances = [Utterance(each.samples, 0.0, len(each.samples) / SAMPLE_RATE) for each in spoken]
    if together:
        pairs = []
        for code in ("en", "de"):
            of = [index for index, each in enumerate(spoken) if each.language == code]
            for at in range(0, len(of), asr.max_batch):
                some = of[at : at + asr.max_batch]
                found = asr.transcribe_batch([utterances[index] for index in some], Hints(language=code))
                pairs += [(spoken[index], each) for index, each in zip(some, found, strict=True)]
    else:
        pairs = [(each, asr.transcribe(utterance)) for each, utterance in zip(spoken, utterances, strict=True)]
    for said, transcript in pairs:
        _count(heard, said, transcript)
    asr.close()
    return heard


def _count(heard: Heard, spoken: Spoken, transcript: Transcript) -> None:
    if not spoken.segments:
        heard.silences += 1
        heard.silent += not transcript.words
        heard.wrong += len(transcript.words)
        return
    said, words = spoken.said, transcript.words
    heard.spoken += 1
    heard.languages += transcript.language == spoken.language
    heard.words += len(said)
    heard.wrong += distance([each.word for each in said], [each.text for each in words])
    if [each.word for each in said] == [each.text for each in words]:
        apart = [word.start_s - each.start_s for each, word in zip(said, words, strict=True)]
        heard.first_starts_s.append(apart[0])
        heard.starts_s += apart[1:]
        heard.ends_s += [word.end_s - each.end_s for each, word in zip(said, words, strict=True)]


def distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to be put in, left out or changed to get from one to the other."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, 1):
        before, row[0] = row[0], index
        for at, other in enumerate(heard, 1):
            before, row[at] = row[at], min(before + (word != other), row[at] + 1, row[at - 1] + 1)
    return row[-1]


def aligned_heads(network: Network, tokenizer: Path, folder: Path, spoken: Sequence[Spoken]) -> list[tuple[int, int]]:
    """The heads, best first, that put the starts of words where they are: alone, on these utterances."""
    Vocabulary(tokenizer)
    found = []
    for layer, head in itertools.product(range(len(network.decoder)), range(network.decoder[0].cross.heads)):
        write(network, tokenizer, folder, [(layer, head)])
        heard = hear(folder, spoken)
        found.append((float(np.mean(np.abs(heard.starts_s or [9.0]))), (layer, head)))
    return [head for _, head in sorted(found)]
