from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_speech import decode
from tracks.resample import Resampler, Window
from tracks.segmenter import Change, Ended, Segmenter, SegmenterOptions, Started, Stopped
from tracks.types import SAMPLE_RATE, Utterance
from tracks.vad import WINDOW_S, WINDOW_SAMPLES
from tracks.vad.silero import SileroVad

QUICK = SegmenterOptions(
    pre_roll_s=3 * WINDOW_S,
    post_roll_s=2 * WINDOW_S,
    min_speech_s=4 * WINDOW_S,
    min_silence_s=6 * WINDOW_S,
    max_s=60 * WINDOW_S,
)
"""Options in whole windows: 3 before, 2 after, 4 of speech, 6 of silence, 60 at most."""


def run(
    probabilities: Sequence[float],
    options: SegmenterOptions = QUICK,
    *,
    energy: Sequence[float] = (),
    first_s: float = 0,
) -> list[Change]:
    """What the segmenter tells; sample i of the stream has the value i, unless its window's loudness is given."""
    segmenter = Segmenter(options)
    changes = []
    for number, probability in enumerate(probabilities):
        if energy:
            samples = np.full(WINDOW_SAMPLES, energy[number], np.float32)
        else:
            samples = np.arange(number * WINDOW_SAMPLES, (number + 1) * WINDOW_SAMPLES).astype(np.float32)
        changes += segmenter.push(samples, probability, first_s + number * WINDOW_S)
    return changes + segmenter.flush()


def utterances(changes: Sequence[Change]) -> list[Utterance]:
    return [change.utterance for change in changes if isinstance(change, Ended)]


def windows(utterance: Utterance) -> tuple[int, int]:
    """First window and the one after the last."""
    return round(utterance.samples[0] / WINDOW_SAMPLES), round((utterance.samples[-1] + 1) / WINDOW_SAMPLES)


def test_an_utterance_has_sound_before_and_after_its_speech() -> None:
    """Onset and end are those of the speech, the samples begin with the pre-roll and end with the post-roll."""
    started, ended, stopped = run([0.0] * 20 + [0.9] * 10 + [0.0] * 20, first_s=100.0)
    assert started == Started(pytest.approx(100 + 20 * WINDOW_S))
    assert isinstance(ended, Ended)
    assert windows(ended.utterance) == (17, 32)
    assert ended.utterance.start_s == pytest.approx(100 + 17 * WINDOW_S)
    assert ended.utterance.end_s == pytest.approx(100 + 32 * WINDOW_S)
    assert not ended.split
    assert stopped == Stopped(pytest.approx(100 + 30 * WINDOW_S))


def test_the_start_is_told_once_there_is_enough_speech() -> None:
    """Not with the first window, nor later than min_speech."""
    segmenter = Segmenter(QUICK)
    told = [segmenter.push(np.zeros(WINDOW_SAMPLES, np.float32), 0.9, number * WINDOW_S) for number in range(5)]
    assert [bool(each) for each in told] == [False, False, False, True, False]


def test_a_short_noise_is_no_speech() -> None:
    """Less than min_speech makes no event, and does not make the next utterance begin with it."""
    changes = run([0.0] * 10 + [0.9] * 3 + [0.0] * 30 + [0.9] * 8 + [0.0] * 10)
    assert [type(change) for change in changes] == [Started, Ended, Stopped]
    assert windows(utterances(changes)[0])[0] == 40


def test_a_short_silence_does_not_end_an_utterance() -> None:
    """Up to min_silence the speaker only pauses."""
    assert len(utterances(run([0.9] * 8 + [0.0] * 5 + [0.9] * 8 + [0.0] * 10))) == 1
    assert len(utterances(run([0.9] * 8 + [0.0] * 6 + [0.9] * 8 + [0.0] * 10))) == 2


def test_two_thresholds_keep_a_voice_that_sinks() -> None:
    """Between the thresholds speech goes on, but does not begin."""
    assert run([0.4] * 50) == []
    changes = run([0.9] * 5 + [0.4] * 30 + [0.0] * 10)
    assert windows(utterances(changes)[0]) == (0, 37)


def test_long_speech_is_cut_where_it_is_quietest() -> None:
    """At max_s the utterance ends in the quietest place of its second half, and the next goes on from there at once."""
    energy = [1.0] * 100
    energy[40:43] = [0.3, 0.1, 0.3]
    energy[50] = 0.05  # one quiet window alone is in the middle of a word
    changes = run([0.9] * 100, energy=energy)
    assert [type(change) for change in changes] == [Started, Ended, Ended, Stopped]
    first, second = utterances(changes)
    assert len(first.samples) == 42 * WINDOW_SAMPLES
    assert first.end_s == pytest.approx(42 * WINDOW_S)
    assert second.start_s == pytest.approx(first.end_s)
    assert len(first.samples) + len(second.samples) == 100 * WINDOW_SAMPLES
    assert [change.split for change in changes if isinstance(change, Ended)] == [True, False]


def test_silence_after_a_cut_is_no_utterance() -> None:
    """Who stops right where the utterance was cut is told of once, without an utterance of silence."""
    energy = [1.0] * 58 + [0.0] * 20
    changes = run([0.9] * 58 + [0.0] * 20, energy=energy)
    assert [type(change) for change in changes] == [Started, Ended, Stopped]
    assert changes[-1] == Stopped(pytest.approx(58 * WINDOW_S))


def test_what_goes_on_can_be_read() -> None:
    """`current` grows while somebody speaks, stops at the post-roll and is then just what the utterance will be."""
    segmenter = Segmenter(QUICK)
    lengths, silences = [], []
    ended: Utterance | None = None
    for number, probability in enumerate([0.0] * 5 + [0.9] * 6 + [0.0] * 6):
        samples = np.zeros(WINDOW_SAMPLES, np.float32)
        for change in segmenter.push(samples, probability, number * WINDOW_S):
            ended = change.utterance if isinstance(change, Ended) else ended
        current = segmenter.current()
        lengths.append(0 if current is None else len(current.samples) // WINDOW_SAMPLES)
        silences.append(round(segmenter.silence_s / WINDOW_S))
    assert lengths == [0] * 8 + [7, 8, 9, 10, 11, 11, 11, 11, 0]
    assert silences == [0] * 11 + [1, 2, 3, 4, 5, 0]
    assert ended is not None
    assert len(ended.samples) == 11 * WINDOW_SAMPLES


def test_flushing_ends_what_goes_on() -> None:
    """The end of the stream ends the utterance, and nothing from before it is in the next one."""
    segmenter = Segmenter(QUICK)
    for number, probability in enumerate([0.9] * 10 + [0.0] * 5):
        segmenter.push(np.full(WINDOW_SAMPLES, 1, np.float32), probability, number * WINDOW_S)
    assert [type(change) for change in segmenter.flush()] == [Ended, Stopped]
    assert segmenter.flush() == []
    changes: list[Change] = []
    for number in range(10):
        changes += segmenter.push(np.full(WINDOW_SAMPLES, 2, np.float32), 0.9, 100 + number * WINDOW_S)
    (after,) = utterances(changes + segmenter.flush())
    assert after.samples.min() == 2
    assert after.start_s == pytest.approx(100)


def test_a_clock_that_is_set_does_not_make_utterances_overlap() -> None:
    """Where the session clock learns better in mid-speech, the utterance is placed by its end; none begins before the
    end of another."""
    segmenter = Segmenter(QUICK)
    changes: list[Change] = []
    for number, probability in enumerate([0.9] * 10 + [0.0] * 7 + [0.9] * 10 + [0.0] * 7):
        at_s = 10 + number * WINDOW_S - (0.3 if number >= 17 else 0) + (0.05 if number >= 5 else 0)
        changes += segmenter.push(np.zeros(WINDOW_SAMPLES, np.float32), probability, at_s)
    first, second = utterances(changes)
    assert first.start_s == pytest.approx(10.05)
    assert second.start_s >= first.end_s
    starts = [change.at_s for change in changes if isinstance(change, Started)]
    assert starts[1] >= first.end_s


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 0.3},
        {"threshold": 1.5},
        {"off_threshold": 0.0},
        {"min_silence_s": 0.1},
        {"pre_roll_s": -1},
        {"max_s": 1.0},
        {"min_speech_s": float("nan")},
    ],
)
def test_options_that_contradict_each_other_are_refused(values: dict[str, float]) -> None:
    """The message names the value."""
    with pytest.raises(ValueError, match=str(next(iter(values.values())))):
        SegmenterOptions(**values)


def runs(probabilities: Sequence[float], options: SegmenterOptions) -> Iterator[range]:
    """Stretches of windows at or above the threshold that are long enough to be speech by themselves."""
    begin = None
    for number, probability in enumerate((*probabilities, 0.0)):
        if probability >= options.threshold:
            begin = number if begin is None else begin
        elif begin is not None:
            if number - begin >= round(options.min_speech_s / WINDOW_S):
                yield range(begin, number)
            begin = None


PROBABILITIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.9]), st.integers(1, 40)).map(lambda run: [run[0]] * run[1]), max_size=30
).map(lambda parts: [probability for part in parts for probability in part])


@st.composite
def options_in_windows(draw: st.DrawFn) -> SegmenterOptions:
    pre, post, speech = draw(st.integers(0, 10)), draw(st.integers(0, 6)), draw(st.integers(0, 10))
    silence = draw(st.integers(max(1, post), 20))
    longest = draw(st.integers(2 * (pre + speech + silence + 3), 120))
    return SegmenterOptions(
        pre_roll_s=pre * WINDOW_S,
        post_roll_s=post * WINDOW_S,
        min_speech_s=speech * WINDOW_S,
        min_silence_s=silence * WINDOW_S,
        max_s=longest * WINDOW_S + 1e-6,
    )


@settings(max_examples=300, deadline=None)
@given(PROBABILITIES, options_in_windows(), st.integers(0, 2**32 - 1))
def test_no_sample_is_lost_or_doubled(probabilities: list[float], options: SegmenterOptions, seed: int) -> None:
    """Utterances are runs of windows in order, never overlap, are never too long, lie where their samples do, and hold
    all speech; each start has its stop."""
    first_s = 5.0
    changes = run(probabilities, options, first_s=first_s)
    spoken = utterances(changes)
    for utterance in spoken:
        assert (np.diff(utterance.samples) == 1).all()
        assert len(utterance.samples) % WINDOW_SAMPLES == 0
        assert len(utterance.samples) <= options.max_s * SAMPLE_RATE
        assert utterance.start_s == pytest.approx(first_s + utterance.samples[0] / SAMPLE_RATE)
        assert utterance.end_s == pytest.approx(first_s + (utterance.samples[-1] + 1) / SAMPLE_RATE)
        held = range(*windows(utterance))
        assert any(probabilities[number] >= options.off_threshold for number in held)
    for one, next_one in pairwise(spoken):
        assert next_one.samples[0] > one.samples[-1]
        assert next_one.start_s >= one.end_s - 1e-9
    covered = {number for utterance in spoken for number in range(*windows(utterance))}
    for speech in runs(probabilities, options):
        assert set(speech) <= covered
    told = [type(change) for change in changes if not isinstance(change, Ended)]
    assert told == [Started, Stopped] * (len(told) // 2)
    for one, other in pairwise(changes):
        if isinstance(one, Ended) and one.split and isinstance(other, Ended):
            assert other.utterance.samples[0] == one.utterance.samples[-1] + 1


def speech_in(path: Path, options: SegmenterOptions) -> tuple[list[float], list[float]]:
    """When speech begins and ends in a file, in seconds of its pts."""
    vad, segmenter, resampler = SileroVad().stream(), Segmenter(options), Resampler()
    heard = [
        each
        for frame in decode(path)
        for each in resampler.push(frame, float(frame.pts * frame.time_base))  # type: ignore[operator]
    ]
    changes: list[Change] = []
    for window in heard + resampler.flush():
        assert isinstance(window, Window)
        changes += segmenter.push(window.samples, vad.probability(window.samples), window.start_s)
    changes += segmenter.flush()
    return (
        [change.at_s for change in changes if isinstance(change, Started)],
        [change.at_s for change in changes if isinstance(change, Stopped)],
    )


def test_speech_in_a_film_begins_where_it_does(shared: Path) -> None:
    """Of 30 s with two stretches of speech, both are found within 150 ms, and nothing else."""
    begins, ends = speech_in(shared / "media" / "people-and-speech.mp4", SegmenterOptions(min_silence_s=1.2))
    assert begins == [pytest.approx(3.36, abs=0.15), pytest.approx(16.29, abs=0.15)]
    assert 13 < ends[0] < 14.2
    assert 16.3 < ends[1] <= 30


def test_speech_in_a_recording_of_a_speech(shared: Path) -> None:
    """Eleven seconds of a speaker who pauses between phrases: it begins after a breath and lasts to the end."""
    begins, ends = speech_in(shared / "media" / "jfk.flac", SegmenterOptions(min_silence_s=1.2))
    assert begins == [pytest.approx(0.36, abs=0.15)]
    assert ends == [pytest.approx(10.95, abs=0.15)]
    begins, ends = speech_in(shared / "media" / "jfk.flac", SegmenterOptions(min_silence_s=0.5))
    assert 2 <= len(begins) == len(ends) <= 6
