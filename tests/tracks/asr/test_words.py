"""faster-whisper on a model that was taught a few dozen words: what it says is what was said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, takewhile

import numpy as np
import pytest

from tests.tracks.asr.conftest import noise, read, utterance
from tests.tracks.asr.words.fixture import CLIP, Sentence, load_words, sentences
from tracks.asr import DecodingCancelled, Hints
from tracks.asr.faster_whisper import FasterWhisperAsr
from tracks.types import SAMPLE_RATE, Samples, Transcript, Word

SAID = sentences()
APART_S = 0.2
PUSH_S = 0.4


@pytest.fixture(scope="module")
def asr() -> Iterator[FasterWhisperAsr]:
    loaded = load_words()
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def clip() -> Samples:
    return read(CLIP)


def assert_there(words: tuple[Word, ...], said: tuple[Word, ...], apart_s: float = APART_S) -> None:
    """These words, each where it was said."""
    assert [word.text for word in words] == [word.text for word in said]
    assert [word.start_s for word in words] == pytest.approx([word.start_s for word in said], abs=apart_s)
    assert [word.end_s for word in words] == pytest.approx([word.end_s for word in said], abs=apart_s)


@pytest.mark.parametrize("said", SAID, ids=lambda said: said.text)
def test_what_is_said_is_heard(asr: FasterWhisperAsr, clip: Samples, said: Sentence) -> None:
    """The words, when each was said, how sure they are, and the language, which nobody told."""
    heard = asr.transcribe(said.utterance(clip))
    assert heard.text == said.text
    assert heard.language == said.language
    assert_there(heard.words, said.words)
    assert all(0.5 < word.probability <= 1 for word in heard.words)
    assert all(segment.avg_logprob > -0.5 and segment.no_speech_prob < 0.1 for segment in heard.segments)


@pytest.mark.parametrize("said", SAID, ids=lambda said: said.text)
def test_a_language_that_is_told_is_taken(asr: FasterWhisperAsr, clip: Samples, said: Sentence) -> None:
    """The same words, without looking for the language."""
    heard = asr.transcribe(said.utterance(clip), Hints(language=said.language))
    assert (heard.text, heard.language) == (said.text, said.language)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(2 * SAMPLE_RATE, np.float32),
        noise(2.0, level=0.001),
        noise(3.0, seed=2, level=0.02),
        noise(2.0, seed=3, level=0.2),
        0.2 * np.sin(np.arange(2 * SAMPLE_RATE) * 2 * np.pi * 220 / SAMPLE_RATE).astype(np.float32),
    ],
    ids=["nothing", "hiss", "fan", "roar", "hum"],
)
def test_where_nobody_speaks_there_are_no_words(asr: FasterWhisperAsr, samples: Samples) -> None:
    """Of silence and of noise."""
    heard = asr.transcribe(utterance(samples))
    assert (heard.text, heard.words) == ("", ())


def test_a_batch_is_heard_as_one_by_one(asr: FasterWhisperAsr, clip: Samples) -> None:
    """The same words at the same times, in order, each on its own clock; silence among them stays empty."""
    asked = [SAID[1].utterance(clip), utterance(noise(2.0)), SAID[0].utterance(clip)]
    hints = Hints(language="en")
    together = asr.transcribe_batch(asked, hints)
    for heard, alone in zip(together, (asr.transcribe(each, hints) for each in asked), strict=True):
        assert heard.text == alone.text
        # Batches are decoded without time tokens: the first word has the silence before it.
        assert_there(heard.words[1:], alone.words[1:], apart_s=0.1)
    assert [heard.text for heard in together] == [SAID[1].text, "", SAID[0].text]


def pushed(asr: FasterWhisperAsr, clip: Samples, said: Sentence) -> tuple[list[Transcript], Transcript]:
    """The partial transcripts while it is said, and the final one."""
    whole = said.utterance(clip)
    step = round(PUSH_S * SAMPLE_RATE)
    stream = asr.stream(whole.start_s)
    partials = [stream.push(whole.samples[at : at + step]) for at in range(0, len(whole.samples), step)]
    return partials, stream.finish(whole)


@pytest.mark.parametrize("said", SAID, ids=lambda said: said.text)
def test_a_word_that_is_committed_is_never_taken_back(asr: FasterWhisperAsr, clip: Samples, said: Sentence) -> None:
    """What two pushes agree on stays, text and times, up to the final transcript, which is what was said."""
    partials, final = pushed(asr, clip, said)
    committed: tuple[Word, ...] = ()
    for before, partial in pairwise(partials):
        assert partial.words[: len(committed)] == committed
        pairs = zip(before.words, partial.words, strict=False)
        agreed = sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))
        committed = partial.words[: max(agreed, len(committed))]
    assert final.words[: len(committed)] == committed
    assert [word.text for word in committed] == [word.text for word in said.words]
    assert_there(final.words, said.words)


def test_words_appear_while_they_are_spoken(asr: FasterWhisperAsr, clip: Samples) -> None:
    """A word is in a partial transcript no later than two pushes after its end."""
    said = SAID[1]
    partials, _ = pushed(asr, clip, said)
    for index, word in enumerate(said.words, 1):
        pushes = int((word.end_s - said.utterance(clip).start_s) / PUSH_S) + 2
        assert len(partials[min(pushes, len(partials) - 1)].words) >= index


def test_what_lies_beyond_a_window_is_heard_too(asr: FasterWhisperAsr, clip: Samples) -> None:
    """Words of a second window of 30 s have their place; who leaves after the first never hears them."""
    first, later = SAID[0].utterance(clip), SAID[1].utterance(clip)
    samples = np.zeros(40 * SAMPLE_RATE, np.float32)
    at = 31 * SAMPLE_RATE
    samples[: len(first.samples)], samples[at : at + len(later.samples)] = first.samples, later.samples
    heard = asr.transcribe(utterance(samples, 100.0), Hints(language="en"))
    assert heard.text == f"{SAID[0].text} {SAID[1].text}"
    onset_s = 131.0 + SAID[1].words[1].start_s - later.start_s
    assert heard.words[len(SAID[0].words) + 1].start_s == pytest.approx(onset_s, abs=APART_S)
    asked = iter([False, True])
    with pytest.raises(DecodingCancelled):
        asr.transcribe(utterance(samples), Hints(language="en"), cancelled=lambda: next(asked))


def test_a_prompt_does_not_disturb(asr: FasterWhisperAsr, clip: Samples) -> None:
    """Neither do hotwords: what is heard is what is said."""
    for hints in (Hints(language="en", prompt="red blue"), Hints(language="en", hotwords="camera")):
        assert asr.transcribe(SAID[0].utterance(clip), hints).text == SAID[0].text
