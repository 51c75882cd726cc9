"""Writes the clip that the tests hear, `clip.ogg`, and `clip.json`, which says what is said in it and when.

    python -m tests.tracks.asr.words.make_clip

Needs flite and espeak-ng.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scripts.make_demo_speech import write_opus
from tests.tracks.asr.words.voices import Clip, Said, alone, phrase
from tracks.types import SAMPLE_RATE

HERE = Path(__file__).parent
BIT_RATE = 40_000
PEAK = 0.5
LENGTH_S = 12.0


def sentences() -> list[tuple[float, str, list[Clip]]]:
    """When each begins, its language, and its parts, which are 0.12 s apart."""
    return [
        (0.6, "en", [_phrase("slt", "open window three")]),
        (3.2, "en", [_phrase("rms", "seven green light"), _phrase("rms", "stop camera")]),
        (7.2, "de", [alone("de", word) for word in ("zwei", "fünf", "sieben", "zehn")]),
    ]


def main() -> None:
    """Write both files."""
    loop = np.zeros(round(LENGTH_S * SAMPLE_RATE), np.float32)
    told = []
    for start_s, language, parts in sentences():
        said: list[Said] = []
        at_s = start_s
        for part in parts:
            first = round(at_s * SAMPLE_RATE)
            loop[first : first + len(part.samples)] = PEAK * part.samples
            said += [Said(each.word, at_s + each.start_s, at_s + each.end_s) for each in part.said]
            at_s = said[-1].end_s + 0.12
        words = [[each.word, round(each.start_s, 3), round(each.end_s, 3)] for each in said]
        told.append({"language": language, "words": words})
    write_opus(loop, HERE / "clip.ogg", rate_hz=SAMPLE_RATE, bit_rate=BIT_RATE)
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in told)
    (HERE / "clip.json").write_text(f"[\n{lines}\n]\n", "utf-8")


def _phrase(voice: str, text: str) -> Clip:
    found = phrase(voice, text.split())
    if found is None:
        raise ValueError(f"flite does not say where the words of {text!r} are")
    return found


if __name__ == "__main__":
    main()
