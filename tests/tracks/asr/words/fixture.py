"""What the tests hear, and the model that they hear it with. README.md says where both come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tracks.asr.faster_whisper import FasterWhisperAsr, load
from tracks.asr.options import Options
from tracks.registry import ModelSpec
from tracks.types import SAMPLE_RATE, Samples, Utterance, Word

HERE = Path(__file__).parent
MODEL = HERE / "model"
CLIP = HERE / "clip.ogg"
AROUND_S = 0.5
"""Sound before and after a sentence that belongs to its utterance, as the segmenter cuts it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the clip."""

    language: str
    words: tuple[Word, ...]
    """With the probability 1."""

    @property
    def text(self) -> str:
        """As it is written."""
        return " ".join(word.text for word in self.words)

    def utterance(self, clip: Samples) -> Utterance:
        """It alone, with the sound around it."""
        first, last = (
            round(at_s * SAMPLE_RATE) for at_s in (self.words[0].start_s - AROUND_S, self.words[-1].end_s + AROUND_S)
        )
        return Utterance(clip[first:last], first / SAMPLE_RATE, last / SAMPLE_RATE)


def sentences() -> list[Sentence]:
    """All of the clip, in their order."""
    return [
        Sentence(each["language"], tuple(Word(text, start_s, end_s, 1.0) for text, start_s, end_s in each["words"]))
        for each in json.loads((HERE / "clip.json").read_text("utf-8"))
    ]


def load_words(**values: str) -> FasterWhisperAsr:
    """The model, doubted as real ones are."""
    return load(ModelSpec("words", "asr", file=MODEL, engine="faster-whisper", **values), Options())  # type: ignore[arg-type]
