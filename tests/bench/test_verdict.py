"""What the measured figures are held against."""

from __future__ import annotations

import pytest

from bench.latency import Latency
from bench.phases import Stream
from bench.verdict import Measured, verdicts


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
