"""ByteTrack on a clock: numbers that stay, and boxes that are where the object is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from tracks.track import TrackOptions
from tracks.track.bytetrack import ByteTrack
from tracks.track.kalman import TimedKalman
from tracks.types import Detections

Box = tuple[float, float, float, float]


def found(*boxes: Box, confidence: float | Iterable[float] = 0.9, class_id: int | Iterable[int] = 0) -> Detections:
    """What a detector would return."""
    n = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.full(n, confidence, np.float32) if isinstance(confidence, float) else np.array(confidence, np.float32),
        np.full(n, class_id, np.int32) if isinstance(class_id, int) else np.array(class_id, np.int32),
    )


def walker(at_s: float, speed: float = 120.0, x: float = 100.0) -> Box:
    """A person of 80x200 px who walks to the right, `speed` in px/s."""
    return (x + speed * at_s, 150.0, x + 80 + speed * at_s, 350.0)


def follow(tracker: ByteTrack, path: Callable[[float], Box], rate_hz: float, until_s: float) -> set[int]:
    """Update the tracker `rate_hz` times a second, and return every number that it gave."""
    numbers: set[int] = set()
    for at_s in np.arange(0, until_s, 1 / rate_hz):
        ids = tracker.update(found(path(at_s)), float(at_s)).track_id
        assert ids is not None
        numbers |= set(ids.tolist())
    return numbers


def ids(detections: Detections) -> list[int]:
    assert detections.track_id is not None
    assert detections.track_id.dtype == np.int32
    return list(detections.track_id.tolist())


def iou(a: np.ndarray, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


@pytest.mark.parametrize("rate_hz", [3, 5, 10, 30, 60])
def test_a_walker_keeps_one_number_at_every_rate_of_detection(rate_hz: float) -> None:
    """The motion model counts seconds: the same walk gives one track at 3 and at 60 detections a second."""
    assert follow(ByteTrack(), lambda t: walker(t, speed=200), rate_hz, 4.0) == {1}


def test_a_runner_who_never_overlaps_with_the_last_box_keeps_the_number_once_the_speed_is_known() -> None:
    """What is lost for a moment is looked for where it must be by now."""
    tracker = ByteTrack()
    follow(tracker, lambda t: walker(t, speed=300), 30, 1.0)
    late = 1.0 + 0.35
    assert iou(np.array(walker(1.0 - 1 / 30, speed=300)), walker(late, speed=300)) == 0
    assert ids(tracker.update(found(walker(late, speed=300)), late)) == [1]


@pytest.mark.parametrize("rate_hz", [5, 10, 30])
@pytest.mark.parametrize("speed", [-150.0, 60.0, 240.0])
def test_prediction_follows_constant_velocity_at_every_rate(rate_hz: float, speed: float) -> None:
    """Boxes shown 0.1 s after the last detection are where the object is, however often it is detected."""
    tracker = ByteTrack()
    follow(tracker, lambda t: walker(t, speed, x=600), rate_hz, 2.0)
    last_s = 2.0 - 1 / rate_hz
    for later_s in (0.03, 0.1):
        (box,) = tracker.predict(last_s + later_s).xyxy
        assert abs(box[0] - walker(last_s + later_s, speed, x=600)[0]) < 0.2 * abs(speed) * later_s + 0.5


def test_prediction_changes_nothing_and_moves_no_further_than_the_horizon() -> None:
    """Asking twice gives the same; half a second is as far as motion is believed."""
    tracker = ByteTrack(TrackOptions(shown_s=5.0, stale_s=5.0, horizon_s=0.5))
    follow(tracker, walker, 10, 2.0)
    near, far = tracker.predict(2.2), tracker.predict(5.0)
    np.testing.assert_array_equal(near.xyxy, tracker.predict(2.2).xyxy)
    np.testing.assert_array_equal(far.xyxy, tracker.predict(6.0).xyxy)
    assert walker(1.9)[0] < near.xyxy[0, 0] < far.xyxy[0, 0] < walker(2.4)[0]


def test_prediction_leaves_out_what_was_not_seen_for_half_a_second() -> None:
    """Boxes of what is gone do not stay on the picture, and numbers do not come from it."""
    tracker = ByteTrack()
    follow(tracker, walker, 10, 1.0)
    tracker.update(Detections.empty(), 1.0)
    assert ids(tracker.predict(0.9 + 0.45)) == [1]
    assert ids(tracker.predict(0.9 + 0.55)) == []


def test_a_slow_detector_is_no_empty_scene() -> None:
    """What the newest detection saw stays on the picture longer, while the next one is still on its way."""
    tracker = ByteTrack()
    follow(tracker, walker, 10, 1.0)
    assert ids(tracker.predict(0.9 + 1.4)) == [1]
    assert ids(tracker.predict(0.9 + 1.6)) == []


def test_prediction_is_clipped_to_the_picture_and_leaves_out_what_walked_out_of_it() -> None:
    """Boxes end at the frame's edge; those beyond it are not there."""
    tracker = ByteTrack()
    follow(tracker, lambda t: walker(t, 300, x=0), 10, 1.0)
    (box,) = tracker.predict(1.0, (340, 300)).xyxy
    assert box[2] == 340
    assert box[3] == 300
    assert len(tracker.predict(1.0, (200, 300))) == 0


def test_what_stands_still_is_not_moved_by_the_jitter_of_the_detector() -> None:
    """A pixel of noise on a box does not become a velocity."""
    tracker, noise = ByteTrack(), np.random.default_rng(0)
    follow(tracker, lambda t: tuple(np.array(walker(0)) + noise.normal(0, 1, 4)), 10, 2.0)
    (box,) = tracker.predict(2.0).xyxy
    (last,) = tracker.predict(1.9).xyxy
    assert np.abs(box - last).max() < 1.0


def test_rows_keep_the_detectors_own_box_and_confidence() -> None:
    """Nothing is smoothed: what is reported is what the detector said."""
    tracker = ByteTrack()
    for step in range(10):
        given = found(walker(step / 10), (400, 100, 470, 300), confidence=(0.8, 0.6), class_id=(0, 2))
        tracked = tracker.update(given, step / 10)
        order = np.argsort(ids(tracked))
        np.testing.assert_array_equal(tracked.xyxy[order], given.xyxy)
        np.testing.assert_array_equal(tracked.confidence[order], given.confidence)
        np.testing.assert_array_equal(tracked.class_id[order], given.class_id)


def test_a_flicker_takes_no_number() -> None:
    """A box is believed at its second sighting, and numbers are given then: 1, 2, 3 without gaps."""
    tracker = ByteTrack()
    tracker.update(found(), 0.0)
    for step in range(1, 6):
        flicker = (50.0 * step, 10.0, 50.0 * step + 20, 40.0)
        tracked = tracker.update(found(walker(step / 10), flicker), step / 10)
    assert ids(tracked) == [1]
    for step in range(6, 9):
        tracked = tracker.update(found(walker(step / 10), (400, 100, 470, 300)), step / 10)
    assert sorted(ids(tracked)) == [1, 2]


def test_what_is_in_the_first_picture_is_believed_at_once() -> None:
    """The first annotated picture has its boxes."""
    assert sorted(ids(ByteTrack().update(found(walker(0), (400, 100, 470, 300)), 7.5))) == [1, 2]


def test_uncertain_boxes_keep_a_track_going_but_start_none_and_are_not_returned() -> None:
    """ByteTrack's second association: a dip in confidence costs no number."""
    tracker = ByteTrack(TrackOptions(confidence=0.5))
    follow(tracker, walker, 10, 1.0)
    for step in range(10, 40):
        weak = tracker.update(found(walker(step / 10), (400, 100, 470, 300), confidence=0.2), step / 10)
        assert ids(weak) == []
    assert ids(tracker.predict(4.0)) == []
    assert ids(tracker.update(found(walker(4.0)), 4.0)) == [1]
    (box,) = tracker.predict(4.1).xyxy
    assert iou(box, walker(4.1)) > 0.9


def test_a_short_dip_in_confidence_moves_the_shown_box_on() -> None:
    """Within half a second the box stays on the picture and follows the uncertain boxes."""
    tracker = ByteTrack(TrackOptions(confidence=0.5))
    follow(tracker, lambda t: walker(0), 10, 1.0)
    for step in range(10, 14):
        tracker.update(found(walker(step / 10 - 0.9), confidence=0.2), step / 10)
    (box,) = tracker.predict(1.35).xyxy
    assert iou(box, walker(0.45)) > 0.9


def test_classes_do_not_take_each_others_tracks() -> None:
    """A dog where a person was a moment ago is another object."""
    tracker = ByteTrack()
    follow(tracker, lambda t: (100, 100, 200, 300), 10, 1.0)
    for step in range(10, 13):
        tracked = tracker.update(found((130, 120, 230, 310), class_id=16), step / 10)
    assert ids(tracked) == [2]
    assert tracked.class_id.tolist() == [16]


def test_uncertain_boxes_of_another_class_do_not_continue_a_track() -> None:
    """The second association compares classes, too."""
    tracker = ByteTrack(TrackOptions(confidence=0.5))
    follow(tracker, lambda t: (100, 100, 200, 300), 10, 1.0)
    tracker.update(found((130, 100, 230, 300), confidence=0.3, class_id=16), 1.0)
    np.testing.assert_array_equal(tracker.predict(1.0).xyxy[0], (100, 100, 200, 300))


def test_a_detector_that_wavers_between_two_classes_changes_neither_number_nor_class() -> None:
    """A car that is called a truck in every fourth picture stays one car."""
    tracker, car, truck = ByteTrack(), 2, 7
    for step in range(40):
        class_id = truck if step % 4 == 3 else car
        tracked = tracker.update(found(walker(step / 10), class_id=class_id), step / 10)
        assert ids(tracked) == [1]
        assert tracked.class_id.tolist() == [car]
    for step in range(40, 60):
        tracked = tracker.update(found(walker(step / 10), class_id=truck), step / 10)
    assert ids(tracked) == [1]
    assert tracked.class_id.tolist() == [truck]


@pytest.mark.parametrize("rate_hz", [5, 30])
def test_a_lost_track_is_kept_for_a_time_not_for_a_number_of_updates(rate_hz: float) -> None:
    """Back within `lost_s` is the same object, later it is another, at every rate."""
    standing = (100.0, 100.0, 180.0, 300.0)
    for away_s, number in ((1.2, 1), (2.0, 2)):
        tracker = ByteTrack(TrackOptions(lost_s=1.5))
        follow(tracker, lambda t: standing, rate_hz, 1.0)
        for at_s in np.arange(1.0, 1.0 + away_s, 1 / rate_hz):
            tracker.update(found(), float(at_s))
        for step in range(2):
            tracked = tracker.update(found(standing), 1.0 + away_s + step / rate_hz)
        assert ids(tracked) == [number]


def test_after_a_long_gap_without_pictures_the_place_is_not_proof() -> None:
    """Somebody who stands where another stood a minute ago is somebody else."""
    tracker = ByteTrack()
    follow(tracker, lambda t: walker(0), 10, 1.0)
    assert ids(tracker.update(found(walker(0)), 61.0)) == [2]


def test_times_that_repeat_or_run_backwards_do_no_harm() -> None:
    """Such a picture counts as taken at the time of the last one; a clock that starts again starts new tracks."""
    tracker = ByteTrack()
    follow(tracker, walker, 10, 1.0)
    for at_s in (0.9, 0.9, 0.5, 0.88):
        assert ids(tracker.update(found(walker(0.9)), at_s)) == [1]
    (box,) = tracker.predict(1.0).xyxy
    assert iou(box, walker(1.0)) > 0.95
    (earlier,) = tracker.predict(0.8).xyxy
    assert iou(earlier, walker(0.8)) > 0.95
    tracker.update(found(walker(50.0)), 50.0)
    assert ids(tracker.update(found(walker(0.0)), 0.0)) == [3]
    with pytest.raises(ValueError, match="nan"):
        tracker.update(found(), float("nan"))


def test_reset_never_gives_a_number_twice() -> None:
    """Another publisher's objects are other objects."""
    tracker = ByteTrack()
    follow(tracker, walker, 10, 1.0)
    tracker.reset()
    assert len(tracker.predict(1.0)) == 0
    assert ids(tracker.update(found(walker(0.9)), 1.0)) == [2]


def test_a_change_of_resolution_keeps_numbers_and_motion() -> None:
    """A browser that doubles its resolution: boxes come in new pixels, the people are the same."""
    tracker = ByteTrack()
    follow(tracker, walker, 10, 1.0)
    tracker.rescale(2.0, 2.0)
    (box,) = tracker.predict(1.0).xyxy
    big = tuple(2 * edge for edge in walker(1.0))
    assert iou(box, big) > 0.95
    assert ids(tracker.update(found(big), 1.0)) == [1]
    (kept,), other = tracker._association.tracked_stracks, ByteTrack()
    follow(other, lambda t: tuple(2 * edge for edge in walker(t)), 10, 1.0)
    other.update(found(big), 1.0)
    (expected,) = other._association.tracked_stracks
    np.testing.assert_allclose(kept.mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(kept.covariance, expected.covariance, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="positive"):
        tracker.rescale(0.0, 1.0)


def test_another_detector_goes_on_with_the_tracks_whose_labels_it_knows() -> None:
    """By label, not by class id; a track of any other label is forgotten, and its number is never given again."""
    tracker = ByteTrack()
    person, dog = walker(0.0), walker(0.0, x=400.0)
    for at_s in (0.0, 0.1, 0.2):
        tracker.update(found(person, dog, class_id=(0, 1)), at_s)
    tracker.relabel(("person", "dog"), ("cat", "bike", "person"))
    assert ids(tracker.predict(0.25)) == [1]
    seen = tracker.update(found(person, dog, class_id=(2, 0)), 0.3)
    seen = tracker.update(found(person, dog, class_id=(2, 0)), 0.4)
    assert (ids(seen), seen.class_id.tolist()) == ([1, 3], [2, 0])


def test_votes_of_a_class_move_with_its_label() -> None:
    """What a track was mostly seen as stays so under its new id."""
    tracker = ByteTrack()
    for at_s in (0.0, 0.1, 0.2, 0.3):
        tracker.update(found(walker(at_s), class_id=0), at_s)
    tracker.relabel(("person", "dog"), ("dog", "person"))
    seen = tracker.update(found(walker(0.4), class_id=0, confidence=0.5), 0.4)
    assert (ids(seen), seen.class_id.tolist()) == ([1], [1])


def test_another_confidence_is_in_force_from_the_next_picture_on() -> None:
    """Tracks live on; what is below it is neither shown nor begun, and what is above it is."""
    tracker = ByteTrack(TrackOptions(confidence=0.25))
    weak, strong = walker(0.0, x=400.0), walker(0.0)
    for at_s in (0.0, 0.1, 0.2):
        tracker.update(found(strong, weak, confidence=(0.9, 0.4)), at_s)
    tracker.retune(0.6)
    newcomer = walker(0.0, x=700.0)
    for at_s in (0.3, 0.4):
        seen = tracker.update(found(strong, weak, newcomer, confidence=(0.9, 0.4, 0.5)), at_s)
    assert ids(seen) == [1]
    tracker.retune(0.25)
    boxes = found(strong, weak, newcomer, confidence=(0.9, 0.4, 0.5))
    assert [ids(tracker.update(boxes, at_s)) for at_s in (0.5, 0.6)] == [[1, 2], [1, 2, 3]]


def test_trackers_do_not_share_numbers_or_motion() -> None:
    """Each session counts from 1, whatever other sessions do."""
    first, second = ByteTrack(), ByteTrack()
    for step in range(10):
        assert ids(first.update(found(walker(step / 10)), step / 10)) == [1]
        assert ids(second.update(found(walker(step / 10, -100, 800)), 40 + step / 5)) == [1]


@pytest.mark.parametrize(
    "bad",
    [
        (float("nan"), 0, 10, 10),
        (0, 0, float("inf"), 10),
        (50, 50, 50, 90),
        (90, 50, 50, 90),
    ],
)
def test_boxes_that_are_no_boxes_are_ignored(bad: Box) -> None:
    """A broken row takes no number and breaks no other row."""
    tracker = ByteTrack()
    for step in range(3):
        tracked = tracker.update(found(bad, walker(step / 10)), step / 10)
        np.testing.assert_array_equal(tracked.xyxy, found(walker(step / 10)).xyxy)


def test_nothing_found_is_nothing_tracked() -> None:
    """Empty pictures give empty results of the right shapes, first and later."""
    tracker = ByteTrack()
    for at_s in (0.0, 0.1):
        for result in (tracker.predict(at_s), tracker.update(Detections.empty(), at_s), tracker.predict(at_s)):
            assert result.xyxy.shape == (0, 4)
            assert ids(result) == []


def test_what_is_kept_does_not_grow() -> None:
    """A thousand people who pass by leave nothing behind."""
    tracker = ByteTrack(TrackOptions(lost_s=0.2))
    for step in range(3000):
        x = 200.0 * (step // 3 % 5)
        tracker.update(found((x, 100, x + 50, 200)), step / 10)
    association = tracker._association
    kept = (tracker._numbers, tracker._votes, tracker._motion._paths, association.removed_stracks)
    assert max(len(each) for each in kept) < 5
    assert len(association.tracked_stracks) + len(association.lost_stracks) < 5


def test_the_filters_noise_does_not_depend_on_the_number_of_steps() -> None:
    """Predicting ten times over 20 ms is predicting once over 200 ms."""
    once, often = TimedKalman(), TimedKalman()
    mean, covariance = once.initiate(np.array([100.0, 200.0, 0.5, 80.0]))
    mean[4:] = (3.0, -1.0, 0.0, 0.0)  # the noise follows the height, which is the same throughout
    once.elapse(0.2)
    often.elapse(0.02)
    expected_mean, expected_covariance = once.predict(mean, covariance)
    for _ in range(10):
        mean, covariance = often.predict(mean, covariance)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-9)
    with pytest.raises(ValueError, match="-1"):
        once.elapse(-1)
