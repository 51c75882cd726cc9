"""faster-whisper on a model made on the spot: what it says is noise, everything around it is real."""

from __future__ import annotations

import json
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.tracks.asr.conftest import CREDULOUS, noise, utterance
from tests.tracks.asr.whisper import WORDS, make_whisper
from tracks.asr import DecodingCancelled, Hints
from tracks.asr.faster_whisper import FasterWhisperAsr, load
from tracks.asr.options import Options
from tracks.detect.weights import WeightsRefused
from tracks.errors import InvalidRequest, ModelUnavailable
from tracks.registry import ModelSpec
from tracks.types import Transcript

COLD = Hints(temperature=0.0)
"""No second tries: what random weights say never satisfies."""
VOCABULARY = {word.removeprefix("Ġ") for word in WORDS}


def loaded(folder: Path, **values: str) -> FasterWhisperAsr:
    return load(ModelSpec("tiny", "asr", file=folder, engine="faster-whisper", **values), Options(guards=CREDULOUS))  # type: ignore[arg-type]


def in_order(transcript: Transcript, start_s: float, end_s: float) -> bool:
    times = [at_s for word in transcript.words for at_s in (word.start_s, word.end_s)]
    return start_s <= times[0] and times[-1] <= end_s and all(a <= b for a, b in pairwise(times))


def test_words_come_with_times_on_the_utterances_clock(whisper: FasterWhisperAsr) -> None:
    """Every word has a start, an end and a probability; text, segments and words say the same."""
    heard = whisper.transcribe(utterance(noise(2.0), 40.0), COLD)
    assert heard.final
    assert heard.language == "en"
    assert len(heard.words) > 2
    assert {word.text for word in heard.words} <= VOCABULARY
    assert heard.text == " ".join(word.text for word in heard.words)
    assert heard.text == " ".join(segment.text for segment in heard.segments)
    assert in_order(heard, 40.0, 42.0)
    assert all(0 < word.probability < 1 for word in heard.words)
    assert all(segment.tokens and segment.avg_logprob < 0 for segment in heard.segments)


def test_what_runs_is_told(whisper: FasterWhisperAsr) -> None:
    """Engine, device, and what the weights are while they run."""
    info = whisper.info
    assert (info.name, info.engine, info.device, info.languages) == ("tiny.en", "faster-whisper", "cpu", ("en",))
    assert info.compute.startswith("int8")


def test_utterances_are_decoded_together(whisper: FasterWhisperAsr) -> None:
    """A batch gives one transcript each, in order, on their own clocks, and silence stays empty."""
    asked = [utterance(noise(2.0), 5.0), utterance(np.zeros(8000, np.float32), 9.0), utterance(noise(1.0, 2), 20.0)]
    first, silent, last = whisper.transcribe_batch(asked, COLD)
    assert in_order(first, 5.0, 7.0)
    assert in_order(last, 20.0, 21.0)
    assert (silent.text, silent.words, silent.segments) == ("", (), ())
    third, _, fourth = whisper.transcribe_batch(list(reversed(asked)), COLD)
    assert in_order(third, 20.0, 21.0)
    assert in_order(fourth, 5.0, 7.0)
    assert whisper.transcribe_batch([], COLD) == []
    with pytest.raises(InvalidRequest, match="at most 4 utterances"):
        whisper.transcribe_batch([utterance(noise(0.5))] * 5)


def test_silence_has_no_text_and_costs_nothing(model: Path) -> None:
    """The guards come first: the model is not even asked."""
    asr = loaded(model)
    asr.close()  # asking would fail now
    heard = asr.transcribe(utterance(np.zeros(16_000, np.float32), 3.0))
    assert (heard.text, heard.words, heard.final) == ("", (), True)


def test_the_guards_doubt_what_random_weights_say(model: Path) -> None:
    """With the thresholds that are meant for real models a loop of words does not come through."""
    asr = load(ModelSpec("tiny", "asr", file=model, engine="faster-whisper"), Options())
    believed = asr.transcribe(utterance(noise(2.0)), COLD)
    credulous = loaded(model).transcribe(utterance(noise(2.0)), COLD)
    assert len(believed.words) < len(credulous.words)


def test_a_prompt_and_hotwords_reach_the_decoder(whisper: FasterWhisperAsr) -> None:
    """They are part of what it decodes from, so it decodes something else."""
    plain = whisper.transcribe(utterance(noise(2.0)), COLD)
    prompted = whisper.transcribe(utterance(noise(2.0)), Hints(prompt="eight eight eight", temperature=0.0))
    hot = whisper.transcribe(utterance(noise(2.0)), Hints(hotwords="one two", temperature=0.0))
    assert len({each.segments for each in (plain, prompted, hot)}) == 3


def test_it_can_be_cancelled_between_windows(whisper: FasterWhisperAsr) -> None:
    """Whoever leaves after the first window of 30 s does not pay for the others."""
    asked = threading.Event()

    def once() -> bool:
        before, _ = asked.is_set(), asked.set()
        return before

    with pytest.raises(DecodingCancelled):
        whisper.transcribe(utterance(noise(90.0)), COLD, cancelled=once)
    with pytest.raises(DecodingCancelled):
        whisper.transcribe_batch([utterance(noise(1.0))] * 2, COLD, cancelled=lambda: True)


def test_partials_firm_up_and_the_final_one_keeps_them(whisper: FasterWhisperAsr) -> None:
    """What two pushes agree on is in all later transcripts, with the same times."""
    stream = whisper.stream(7.0, COLD)
    samples = noise(3.0)
    firm: tuple[object, ...] = ()
    before = stream.push(samples[:9600])
    for at in range(9600, len(samples), 9600):
        partial = stream.push(samples[at : at + 9600])
        assert not partial.final
        assert partial.words[: len(firm)] == firm
        agreed = 0
        for old, new in zip(before.words, partial.words, strict=False):
            if old.text != new.text:
                break
            agreed += 1
        firm, before = partial.words[: max(agreed, len(firm))], partial
    final = stream.finish(utterance(samples, 7.0))
    assert firm
    assert final.final
    assert final.words[: len(firm)] == firm


def test_a_multilingual_model_finds_the_language_or_takes_it(tmp_path: Path) -> None:
    """A language that it does not know is refused, in a call and in the registry."""
    asr = loaded(make_whisper(tmp_path / "tiny", multilingual=True))
    assert len(asr.info.languages) == 100
    short = utterance(noise(0.5))
    assert asr.transcribe(short, COLD).language in asr.info.languages
    assert asr.transcribe(short, Hints(language="de", temperature=0.0)).language == "de"
    with pytest.raises(InvalidRequest, match="does not know language 'xx'"):
        asr.transcribe(short, Hints(language="xx"))
    with pytest.raises(ModelUnavailable, match="does not know 'xx'"):
        loaded(tmp_path / "tiny", language="xx")


def test_an_english_model_refuses_other_languages(whisper: FasterWhisperAsr) -> None:
    """faster-whisper would quietly use English."""
    with pytest.raises(InvalidRequest, match="does not know language 'de', have: en"):
        whisper.transcribe(utterance(noise(1.0)), Hints(language="de"))


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_an_incomplete_folder_is_refused_by_name(model: Path, tmp_path: Path, missing: str) -> None:
    """Nothing is fetched to make it whole, not even a tokenizer."""
    shutil.copytree(model, tmp_path / "half")
    (tmp_path / "half" / missing).unlink()
    with pytest.raises(ModelUnavailable, match=f"incomplete: it has no {missing}"):
        loaded(tmp_path / "half")


def test_damaged_and_other_weights_are_refused(model: Path, tmp_path: Path) -> None:
    """A truncated file does not load, and one with another hash is not even tried."""
    shutil.copytree(model, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.bin"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(ModelUnavailable, match="does not load on cpu"):
        loaded(tmp_path / "damaged")
    with pytest.raises(WeightsRefused, match="expected " + "0" * 64):
        loaded(model, sha256="0" * 64)
    (tmp_path / "damaged" / "tokenizer.json").write_text(json.dumps({"version": "none"}))
    shutil.copy(model / "model.bin", weights)
    with pytest.raises(ModelUnavailable, match="does not load"):
        loaded(tmp_path / "damaged")
    with pytest.raises(ModelUnavailable, match="is no folder"):
        loaded(weights)
