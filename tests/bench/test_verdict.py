"""What the measured figures are held against."""

from __future__ import annotations

import pytest

from bench.frame import FrameLoad
from bench.latency import Latency
from bench.phases import Stream
from bench.under_load import Costs
from bench.verdict import Measured, verdicts
from bench.ws import WsLoad


def stream(name: str, *, fps: float = 30.0, detections_per_s: float = 0.0) -> Stream:
    """A phase in which nothing else was out of the ordinary."""
    return Stream(
        name=name,
        latency=Latency(fps, 50.0, 60.0, 70.0, 50.0, 50.0, 0.0),
        sent_fps=30.0,
        not_returned=0,
        unreadable=0,
        skipped=0,
        sent_kbps=1500.0,
        returned_kbps=1500.0,
        first_frame_s=0.5,
        server_cores=0.4,
        outside_cores=0.4,
        client_cores=0.4,
        other_cores=0.0,
        loop_lag_p99_ms=5.0,
        detections_per_s=detections_per_s,
        drops={},
        points=[],
        numbers=frozenset(),
    )


@pytest.mark.parametrize(("fps", "reached"), [(19.6, True), (19.5, False)])
def test_exact_is_held_against_the_bare_detector_before_and_after_it(fps: float, reached: bool) -> None:
    """The mean of both rates, of which it must reach 0.85."""
    loads = [stream("before", detections_per_s=20.0), stream("after", detections_per_s=26.0)]
    found = {each.what: each for each in verdicts(Measured(loaded_echoes=loads, exact=stream("exact", fps=fps)))}
    verdict = found["exact: frames returned per second"]
    assert verdict.wanted == ">= 19.6 (0.85 x 23.0)"
    assert verdict.reached is reached


def test_no_more_is_asked_of_exact_than_the_camera_films() -> None:
    """30 pictures a second, however fast the detector is."""
    measured = Measured(loaded_echoes=[stream("load", detections_per_s=90.0)], exact=stream("exact", fps=25.6))
    (verdict,) = (each for each in verdicts(measured) if each.what == "exact: frames returned per second")
    assert verdict.wanted == ">= 25.5 (0.85 x 30.0)"
    assert verdict.reached


def test_streams_are_shown_in_the_order_in_which_they_ran() -> None:
    """The bare detector's second stretch stands behind `exact`."""
    loads = [stream("before"), stream("after")]
    measured = Measured(echo=stream("echo"), smooth=stream("smooth"), loaded_echoes=loads, exact=stream("exact"))
    assert [each.name for each in measured.streams] == ["echo", "smooth", "before", "exact", "after"]


COSTS = Costs(1.9, 0.4, 0.05, 0.0, 5.0)


def over_ws(*, fps: float = 45.0, lost: int = 0, p50_ms: float = 40.0) -> Measured:
    """Pictures over `/ws/stream`, where the bare detector with decoding makes 50 a second: 20 ms each."""
    return Measured(ws=WsLoad((48.0, 52.0), fps, lost, p50_ms, 2 * p50_ms, 2, 90, COSTS))


@pytest.mark.parametrize(
    ("measured", "reached"),
    [
        (over_ws(), [True, True]),
        (over_ws(fps=44.9), [False, True]),
        (over_ws(lost=1), [False, True]),
        (over_ws(p50_ms=40.1), [True, False]),
    ],
)
def test_ws_is_held_against_detector_and_decoding(measured: Measured, reached: list[bool]) -> None:
    """0.9 of their rate, before and after, with nothing lost; and what it takes beyond their time for one picture."""
    rate, latency = verdicts(measured)
    assert rate.wanted == ">= 45.0 (0.9 x 50.0)"
    assert [rate.reached, latency.reached] == reached


@pytest.mark.parametrize(("fps", "refused", "reached"), [(45.0, 0, True), (44.9, 0, False), (45.0, 1, False)])
def test_frame_is_held_against_the_detector_alone(fps: float, refused: int, reached: bool) -> None:
    """0.9 of its rate without decoding, which is shown beside it and changes nothing."""
    frame = FrameLoad(4, (48.0, 52.0), 30.0, fps, refused, 80.0, 90.0, 100, {}, COSTS)
    (verdict,) = verdicts(Measured(frame=frame))
    assert verdict.wanted == ">= 45.0 (0.9 x 50.0)"
    assert verdict.reached is reached
