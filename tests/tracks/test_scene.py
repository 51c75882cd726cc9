"""Objects enter, dwell and leave; flickers do neither."""

from __future__ import annotations

import numpy as np
import pytest

from tracks.scene import Scene, SceneChange, SceneOptions
from tracks.types import Detections

LABELS = ("person", "bicycle", "car")
PERSON, CAR = 0, 2


def tracked(*numbers: int, confidence: float = 0.8, class_id: int = PERSON, x: float = 10.0) -> Detections:
    """Boxes with these track numbers."""
    n = len(numbers)
    return Detections(
        np.tile(np.array([[x, 20, x + 30, 90]], np.float32), (n, 1)),
        np.full(n, confidence, np.float32),
        np.full(n, class_id, np.int32),
        np.array(numbers, np.int32),
    )


def told(change: SceneChange) -> list[tuple[str, int]]:
    return [(happening.phase, happening.track_id) for happening in change.objects]


def play(
    scene: Scene, *parts: tuple[float, float, tuple[int, ...]], rate_hz: float = 10
) -> list[tuple[float, str, int]]:
    """(when, phase, number) of everything told while parts (from, to, numbers seen) are played."""
    happenings = []
    for start_s, end_s, numbers in parts:
        for at_s in np.arange(start_s, end_s - 1e-6, 1 / rate_hz):
            happenings += [
                (round(float(at_s), 3), *each) for each in told(scene.update(tracked(*numbers), float(at_s)))
            ]
    return happenings


@pytest.mark.parametrize("rate_hz", [5, 10, 30])
def test_an_object_enters_dwells_once_and_leaves(rate_hz: float) -> None:
    """The whole life of a track, at the same times whatever the rate of detection."""
    happenings = play(Scene(LABELS), (0, 12, (1,)), (12, 15, ()), rate_hz=rate_hz)
    assert [(phase, number) for _, phase, number in happenings] == [("entered", 1), ("dwelt", 1), ("left", 1)]
    step = 1 / rate_hz
    for (at_s, *_), expected_s in zip(happenings, (0.3, 5.0, 12 - step + 1.5), strict=True):
        assert expected_s - 1e-3 <= at_s <= expected_s + step + 1e-3


def test_at_one_detection_a_second_the_second_one_enters() -> None:
    """A slow detector still makes events: nothing was missed between the two."""
    assert play(Scene(LABELS), (0, 3, (1,)), rate_hz=1) == [(1.0, "entered", 1)]


def test_a_blink_makes_no_event() -> None:
    """What is seen for less than the hysteresis neither enters nor leaves."""
    assert play(Scene(LABELS), (0, 0.3, (1,)), (0.3, 9, ())) == []


def test_blinks_do_not_add_up() -> None:
    """What has not entered must be seen in one go."""
    parts = [part for start in range(10) for part in ((start, start + 0.2, (1,)), (start + 0.2, start + 1, ()))]
    assert play(Scene(LABELS), *parts) == []


def test_a_detector_slower_than_the_patience_makes_nobody_leave() -> None:
    """Who is in this picture and was in the last one has not left between them."""
    assert [phase for _, phase, _ in play(Scene(LABELS), (0, 12, (1,)), rate_hz=0.5)] == ["entered", "dwelt"]


def test_a_gap_shorter_than_the_hysteresis_is_no_leaving() -> None:
    """Somebody behind a pillar for a second was here all the time, and dwells."""
    happenings = play(Scene(LABELS), (0, 3, (1,)), (3, 4, ()), (4, 8, (1,)))
    assert [phase for _, phase, _ in happenings] == ["entered", "dwelt"]


def test_who_returns_after_leaving_enters_again() -> None:
    """Entered and left alternate for one number."""
    happenings = play(Scene(LABELS), (0, 1, (1,)), (1, 4, ()), (4, 5, (1,)), (5, 8, ()))
    assert [phase for _, phase, _ in happenings] == ["entered", "left", "entered", "left"]


def test_leaving_tells_when_the_object_was_really_seen() -> None:
    """`lastSeen` is the last box, not the moment when the wait was over."""
    scene = Scene(LABELS)
    play(scene, (2, 4, (7,)))
    (left,) = scene.update(tracked(), 9.0).objects
    assert (left.phase, left.first_seen, left.last_seen) == ("left", 2.0, pytest.approx(3.9))


def test_the_best_box_and_confidence_are_kept() -> None:
    """Each event shows the object as it was seen best so far."""
    scene = Scene(LABELS)
    scene.update(tracked(1, confidence=0.5, x=10), 0.0)
    scene.update(tracked(1, confidence=0.9, x=40), 0.2)
    (entered,) = scene.update(tracked(1, confidence=0.6, x=70), 0.4).objects
    assert (entered.box, entered.confidence) == ((40, 20, 70, 90), 0.9)


def test_changed_tells_whether_other_objects_are_present() -> None:
    """Entering and leaving change the scene; waiting, dwelling and flickering do not."""
    scene = Scene(LABELS, SceneOptions(enter_s=0.3, dwell_s=1.0, leave_s=0.5))
    seen = [(0.0, (1,), False), (0.4, (1,), True), (0.5, (1, 2), False), (1.2, (1,), False), (2.0, (), True)]
    for at_s, numbers, changed in seen:
        assert scene.update(tracked(*numbers), at_s).changed is changed, at_s
    assert scene.present == frozenset()


def test_an_object_leaves_under_the_name_that_it_entered_by() -> None:
    """A class that changes later does not leave a person behind who never left."""
    scene = Scene(LABELS)
    play(scene, (0, 1, (1,)))
    scene.update(tracked(1, class_id=CAR), 1.0)
    (left,) = scene.end(1.1)
    assert left.label == "person"


def test_the_end_lets_everything_leave_that_had_entered() -> None:
    """Nobody is left in a picture that is gone, and whoever had not entered does not leave."""
    scene = Scene(LABELS)
    play(scene, (0, 1, (1, 2)))
    scene.update(tracked(1, 2, 3), 1.0)
    assert [(each.phase, each.track_id, each.last_seen) for each in scene.end(9.0)] == [
        ("left", 1, 1.0),
        ("left", 2, 1.0),
    ]
    assert scene.end(9.5) == []
    assert [phase for _, phase, _ in play(scene, (10, 11, (1,)))] == ["entered"]


def test_times_that_run_backwards_make_no_events() -> None:
    """A picture out of order counts as taken with the last one."""
    scene = Scene(LABELS)
    play(scene, (5, 6, (1,)))
    assert told(scene.update(tracked(1), 2.0)) == []
    assert told(scene.update(tracked(), 3.0)) == []
    assert told(scene.update(tracked(), 6.5)) == []
    assert scene.present == {1}


def test_a_class_without_a_label_is_named_by_its_number() -> None:
    """A model whose labels are too few stops no session."""
    scene = Scene(())
    scene.update(tracked(1, class_id=CAR), 0.0)
    (entered,) = scene.update(tracked(1, class_id=CAR), 1.0).objects
    assert entered.label == "class 2"


def test_the_event_is_what_clients_are_promised() -> None:
    """camelCase, JSON-ready, without types of numpy."""
    scene = Scene(LABELS)
    scene.update(tracked(4), 0.0)
    (entered,) = scene.update(tracked(4), 0.5).objects
    assert entered.wire() == {
        "phase": "entered",
        "trackId": 4,
        "label": "person",
        "firstSeen": 0.0,
        "lastSeen": 0.5,
        "box": [10.0, 20.0, 40.0, 90.0],
        "confidence": 0.8,
    }


def test_what_is_kept_does_not_grow() -> None:
    """Ten thousand flickers and passers-by leave nothing behind."""
    scene = Scene(LABELS, SceneOptions(leave_s=0.5))
    for step in range(10_000):
        scene.update(tracked(step, step // 10), step / 10)
        assert len(scene._sightings) < 20


def test_untracked_boxes_and_negative_times_are_refused() -> None:
    """Wrong use is named."""
    with pytest.raises(ValueError, match="track ids"):
        Scene(LABELS).update(Detections(*(getattr(tracked(1), name) for name in ("xyxy", "confidence", "class_id"))), 0)
    with pytest.raises(ValueError, match="leave_s"):
        SceneOptions(leave_s=-1)
