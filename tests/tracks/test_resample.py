from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from av import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_speech import frames, sound
from tracks.resample import Gap, Resampler, Window
from tracks.types import SAMPLE_RATE, Samples
from tracks.vad import WINDOW_S, WINDOW_SAMPLES


def heard(stream: Sequence[AudioFrame], *, offset_s: float = 0.0) -> list[Window | Gap]:
    """What comes of the frames when media time is their pts and `offset_s`."""
    resampler = Resampler()
    out = []
    for frame in stream:
        out += resampler.push(frame, float(frame.pts * frame.time_base) + offset_s)  # type: ignore[operator]
    return out + resampler.flush()


def windows(out: Sequence[Window | Gap]) -> list[Window]:
    return [each for each in out if isinstance(each, Window)]


def samples(out: Sequence[Window | Gap]) -> Samples:
    return np.concatenate([window.samples for window in windows(out)])


def loud_at(out: Sequence[Window | Gap]) -> list[tuple[float, float]]:
    """(begin, end) of every loud stretch, as the windows' times have it."""
    at = np.concatenate([window.start_s + np.arange(WINDOW_SAMPLES) / SAMPLE_RATE for window in windows(out)])
    at = at[np.abs(samples(out)) > 0.05]
    parts = np.split(at, np.flatnonzero(np.diff(at) > 0.05) + 1)
    return [(float(part[0]), float(part[-1])) for part in parts if len(part)]


@pytest.mark.parametrize(
    ("rate", "layout", "length_s"),
    [
        (8_000, "mono", 0.02),
        (16_000, "mono", 0.02),
        (22_050, "mono", 0.04),
        (44_100, "stereo", 0.02),
        (48_000, "mono", 0.06),
        (48_000, "stereo", 0.02),
        (48_000, "stereo", 0.0025),
    ],
)
def test_every_rate_and_layout_becomes_16_khz_mono(rate: int, layout: str, length_s: float) -> None:
    """Whole windows that follow on one another, with a beep as loud as it was, where it was."""
    out = windows(heard(frames(sound(0.5, 0.25, 0.45, rate=rate), rate=rate, layout=layout, length_s=length_s)))
    assert all(window.samples.shape == (WINDOW_SAMPLES,) and window.samples.dtype == np.float32 for window in out)
    starts = [window.start_s for window in out]
    assert starts == pytest.approx([number * WINDOW_S for number in range(len(out))], abs=1e-4)
    assert sum(len(window.samples) for window in out) == pytest.approx(1.2 * SAMPLE_RATE, abs=WINDOW_SAMPLES + 2)
    assert loud_at(out) == [(pytest.approx(0.5, abs=0.002), pytest.approx(0.75, abs=0.002))]
    assert np.abs(samples(out)).max() == pytest.approx(0.3, abs=0.02)


def test_two_full_scale_channels_stay_within_full_scale() -> None:
    """The channels' mean is taken, not their sum."""
    at = np.arange(48_000) / 48_000
    loud = (0.99 * np.sin(2 * np.pi * 300 * at)).astype(np.float32)
    assert 0.9 < np.abs(samples(heard(frames(loud, rate=48_000, layout="stereo")))).max() <= 1


def test_times_are_media_times() -> None:
    """The windows' times are on the session clock, not the track's."""
    out = windows(heard(frames(sound(0.5), first_s=7.0), offset_s=100.0))
    assert out[0].start_s == pytest.approx(107.0)


def test_a_stream_may_change_its_format() -> None:
    """From telephone to stereo and back, and the sound goes on: no hole, nothing twice, times right."""
    parts = [
        *frames(sound(0.2, 0.2, rate=8_000), rate=8_000),
        *frames(sound(0.2, 0.2, rate=48_000), rate=48_000, layout="stereo", first_s=0.4),
        *frames(sound(0.2, 0.2, rate=16_000), rate=16_000, first_s=0.8),
    ]
    out = heard(parts)
    assert not any(isinstance(each, Gap) for each in out)
    expected = [(0.2, 0.4), (0.6, 0.8), (1.0, 1.2)]
    assert loud_at(out) == [(pytest.approx(a, abs=0.003), pytest.approx(b, abs=0.003)) for a, b in expected]
    assert len(samples(out)) == pytest.approx(1.2 * SAMPLE_RATE, abs=WINDOW_SAMPLES)


@pytest.mark.parametrize("hole_s", [0.04, 0.2, 0.98])
def test_a_short_hole_becomes_silence(hole_s: float) -> None:
    """Sound after it is where it belongs, and as far from the sound before as it was."""
    stream = frames(sound(0, 0.2)) + frames(sound(0, 0.2), first_s=0.2 + hole_s)
    out = heard(stream)
    assert not any(isinstance(each, Gap) for each in out)
    expected = [(0, 0.2), (0.2 + hole_s, 0.4 + hole_s)]
    loud = loud_at(out) if hole_s > 0.05 else [(loud_at(out)[0][0], 0.2), (0.2 + hole_s, loud_at(out)[-1][1])]
    assert loud == [(pytest.approx(a, abs=0.002), pytest.approx(b, abs=0.002)) for a, b in expected]
    assert (samples(out)[int(0.202 * SAMPLE_RATE) : int((0.198 + hole_s) * SAMPLE_RATE)] == 0).all()


@pytest.mark.parametrize("jump_s", [1.0, 60.0, -5.0])
def test_a_long_hole_and_a_restart_are_reported(jump_s: float) -> None:
    """What came before is given out first, then the gap, then what comes after it with its own time."""
    stream = frames(sound(0, 0.21), first_s=10.0, length_s=0.03) + frames(sound(0, 0.2), first_s=10.21 + jump_s)
    out = heard(stream)
    (gap,) = [number for number, each in enumerate(out) if isinstance(each, Gap)]
    assert out[gap] == Gap(pytest.approx(10.21 + jump_s))
    assert loud_at(out[:gap]) == [(pytest.approx(10.0, abs=0.002), pytest.approx(10.21, abs=0.002))]
    assert out[gap + 1].start_s == pytest.approx(10.21 + jump_s)  # type: ignore[union-attr]


def test_what_comes_twice_is_taken_once() -> None:
    """Frames that repeat or overlap what was heard do not double it, and do not move what follows."""
    whole = frames(sound(0.2, 0.2, 0.2, 0.2, 0.2))
    overlap = frames(sound(0.2, 0.2, 0.2, 0.2, 0.2)[9_600:], first_s=0.6, length_s=0.2)
    out = heard([*whole[:15], whole[14], *whole[15:20], *whole[12:20], *whole[20:35], *overlap])
    expected = [(0.2, 0.4), (0.6, 0.8)]
    assert loud_at(out) == [(pytest.approx(a, abs=0.002), pytest.approx(b, abs=0.002)) for a, b in expected]
    assert len(samples(out)) == pytest.approx(SAMPLE_RATE, abs=WINDOW_SAMPLES)


@pytest.mark.parametrize("ppm", [-1000, 300])
def test_a_clock_that_drifts_moves_the_times_alone(ppm: int) -> None:
    """A sound card that runs fast or slow: no sample is added or taken away, and after a minute times are right."""
    stream = frames(sound(60.0, 0.5, 0.1), rate=16_000)
    for number, frame in enumerate(stream):
        frame.pts = round(number * 320 * (1 + ppm / 1e6))
    out = heard(stream)
    assert len(samples(out)) == len(stream) * 320 + (-len(stream) * 320) % WINDOW_SAMPLES
    assert loud_at(out)[0][0] == pytest.approx(60 * (1 + ppm / 1e6), abs=0.003)


def test_a_clock_that_is_read_imprecisely_is_smoothed() -> None:
    """pts that jitter by two frames, as of software that stamps by the wall clock: nothing is cut or filled."""
    rng = np.random.default_rng(1)
    stream = frames(sound(2.0, 0.5, 0.5), length_s=0.01)
    newest = -1
    for frame in stream:
        newest = frame.pts = max(newest + 1, frame.pts + int(rng.integers(-300, 300)))  # type: ignore[operator]
    out = heard(stream)
    assert len(samples(out)) == pytest.approx(3 * SAMPLE_RATE, abs=WINDOW_SAMPLES)
    assert loud_at(out) == [(pytest.approx(2.0, abs=0.006), pytest.approx(2.5, abs=0.006))]


def test_a_session_clock_that_is_set_moves_what_follows() -> None:
    """After a sender report the same pts mean another time; the sound itself has no hole."""
    resampler = Resampler()
    out: list[Window | Gap] = []
    for number, frame in enumerate(frames(sound(1.0))):
        out += resampler.push(frame, number * 0.02 + (0.25 if number >= 25 else 0.0))
    steps = np.diff([window.start_s for window in windows(out)])
    assert sorted(steps)[-1] == pytest.approx(WINDOW_S + 0.25)
    assert sorted(steps)[:-1] == pytest.approx([WINDOW_S] * (len(steps) - 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([8_000, 16_000, 44_100, 48_000]),
            st.sampled_from(["mono", "stereo"]),
            st.integers(1, 12),
            st.sampled_from([0.0, 0.0, 0.05, 0.5, 0.99, 1.01, 3.0]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_windows_follow_on_each_other_whatever_comes(parts: list[tuple[int, str, int, float]]) -> None:
    """Between gaps every window begins where the one before ended, and all of the sound's time is covered."""
    at_s, stream, spans = 0.0, [], [[0.0, 0.0]]
    for rate, layout, count, hole_s in parts:
        if hole_s >= 1 and stream:
            spans.append([at_s + hole_s, at_s + hole_s])
        at_s += hole_s if stream else 0.0
        stream += frames(np.zeros(round(rate * 0.02) * count, np.float32), rate=rate, layout=layout, first_s=at_s)
        at_s += 0.02 * count
        spans[-1][1] = at_s
    out = heard(stream)
    groups: list[list[Window]] = [[]]
    for each in out:
        if isinstance(each, Gap):
            groups.append([])
        else:
            groups[-1].append(each)
    assert len(groups) == len(spans)
    for group, (begin_s, end_s) in zip(groups, spans, strict=True):
        starts = [window.start_s for window in group]
        assert starts[0] == pytest.approx(begin_s, abs=2e-4)
        assert np.diff(starts) == pytest.approx(np.full(len(starts) - 1, WINDOW_S), abs=2e-4)
        assert end_s - 1e-3 <= starts[-1] + WINDOW_S <= end_s + WINDOW_S + 1e-3
