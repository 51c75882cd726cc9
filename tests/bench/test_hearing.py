"""What the phase `hearing` counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from bench.hearing import Batch, Hearing
from bench.hearing_live import Answer, Played, Told, WatchedWorker, play
from bench.hearing_times import Final, Times, intervals, times
from bench.hearing_vad import packets_of
from bench.hearing_verdict import hearing_table, hearing_verdicts
from bench.hearing_words import Words, compare_words
from bench.wer import Clip, Errors
from tests.fakes_speech import BeepAsr, LoudVad, sound
from tracks.listener import ListenerOptions
from tracks.types import Utterance


@pytest.fixture
async def worker() -> AsyncIterator[WatchedWorker]:
    made = WatchedWorker(BeepAsr)
    yield made
    await made.close()


def told(what: str, media_s: float, at_s: float, text: str = "") -> Told:
    return Told(what, media_s, at_s, text)


def test_intervals_are_counted_within_speech_and_up_to_its_end() -> None:
    """Not across a pause, and nothing of a stretch in which nothing was told."""
    assert intervals([1.5, 2.0, 4.2], [(1.0, 2.3), (4.0, 4.3), (6.0, 9.0)]) == pytest.approx([0.5, 0.3, 0.1])


def test_times_are_held_against_what_was_spoken() -> None:
    """The first text from its onset; a final without the silence and without the engine's time."""
    utterance = Utterance(np.zeros(0, np.float32), 0.7, 2.3)
    played = Played(
        [
            told("started", 1.0, 1.3),
            told("partial", 1.6, 1.8, "so"),
            told("stopped", 2.0, 2.7),
            told("final", 2.3, 3.4, "so it is"),
            told("started", 5.0, 5.3),
        ],
        [Answer(utterance, 0.6)],
        {"partial": 0},
        0.02,
    )
    found = times("a.wav", 0.7, played, [(1.0, 2.0)])
    assert found.first_words_s == pytest.approx([0.8, float("inf")])
    assert found.finals == [Final(2.0, pytest.approx(1.4), 0.6, pytest.approx(0.1))]
    assert found.drops == {}


async def test_sound_goes_through_the_live_path(worker: WatchedWorker) -> None:
    """As fast as the recogniser answers: every word is there, nothing is dropped, and what it heard is noted."""
    frames = packets_of(sound(0.5, 0.3, 0.1, 0.5, 1.5, 0.4, 1.5))
    played = await play(frames, LoudVad(), worker, ListenerOptions(), in_time=False)  # type: ignore[arg-type]
    assert [each.text for each in played.of("final")] == ["b3 b5", "b4"]
    assert [each.media_s for each in played.of("started")] == pytest.approx([0.5, 2.9], abs=0.05)
    assert len(played.answers) == 2
    assert sum(played.drops.values()) == 0


async def test_words_are_held_against_the_engine_alone(worker: WatchedWorker) -> None:
    """Clips in one session are told apart again, and compared whole and as they were cut."""
    alone = WatchedWorker(BeepAsr)
    clips = [Clip("one", sound(0.5, 0.3, 0.5), "b3"), Clip("two", sound(0.5, 0.4, 1.2, 0.6, 0.5), "b4 b7")]
    found = await compare_words(clips, LoudVad(), worker, alone, lambda line: None)  # type: ignore[arg-type]
    await alone.close()
    assert (found.live, found.whole, found.utterances) == (Errors(1, 3), Errors(1, 3), Errors(1, 3))
    assert found.drops == {}


GOOD = Times("a", 1.2, [3.36, 16.3], [0.5, 0.6], [0.4], [Final(5.0, 2.0, 1.1, 0.2)], 0.02, {})
HEARING = Hearing(
    "beeps",
    GOOD,
    [replace(GOOD, core=0.059)],
    0.01,
    Batch(30.0, 0.5, 0.49, 0.5),
    Words(4, 60.0, Errors(110, 550), Errors(100, 550), Errors(110, 550), {}),
)


def test_every_figure_can_be_reached() -> None:
    """And the table names the recogniser."""
    assert [verdict.what for verdict in hearing_verdicts(HEARING) if not verdict.reached] == []
    assert "beeps" in next(iter(hearing_table(HEARING)))


@pytest.mark.parametrize(
    ("worse", "figure"),
    [
        (replace(HEARING, words=replace(HEARING.words, live=Errors(115, 550))), "engine on whole clips"),
        (replace(HEARING, words=replace(HEARING.words, utterances=Errors(90, 550))), "engine on same utterances"),
        (replace(HEARING, words=Words(1, 9.0, Errors(1, 99), Errors(1, 99), Errors(1, 99), {})), "whole clips"),
        (replace(HEARING, conversation=replace(GOOD, onsets_s=[3.36])), "speech begins"),
        (replace(HEARING, conversation=replace(GOOD, onsets_s=[3.36, 16.45])), "speech begins"),
        (replace(HEARING, live=[replace(GOOD, first_words_s=[0.5, float("inf")])]), "first text"),
        (replace(HEARING, live=[replace(GOOD, intervals_s=[0.4, 0.61])]), "between partial"),
        (replace(HEARING, live=[replace(GOOD, finals=[Final(5.0, 2.0, 0.9, 0.31)])]), "final after"),
        (replace(HEARING, live=[replace(GOOD, core=0.061)]), "CPU outside"),
        (replace(HEARING, batch=Batch(30.0, 0.53, 0.5, 0.5)), "batch"),
    ],
)
def test_each_figure_can_be_missed(worse: Hearing, figure: str) -> None:
    """One that is worse than wanted fails."""
    assert any(figure in verdict.what for verdict in hearing_verdicts(worse) if not verdict.reached)
    assert list(hearing_table(worse))
