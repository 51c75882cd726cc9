"""Shown boxes against the detector's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.accuracy import Boxes, Shown, Truth, compare, iou

ORDER = np.arange(4, dtype=np.int32)


def boxes(*rows: tuple[float, float, float, float]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)


def person(left: float) -> tuple[float, float, float, float]:
    """A box of 100x200 pixels."""
    return (left, 100, left + 100, 300)


def truth(*frames: Boxes) -> Truth:
    """Every box is a person, with a confidence of 0.9."""
    return Truth(
        list(frames), [np.full(len(f), 0.9, np.float32) for f in frames], [np.zeros(len(f), np.int32) for f in frames]
    )


def shown(number: int, *rows: tuple[float, float, float, float], class_id: int = 0) -> Shown:
    return Shown(number, boxes(*rows), np.full(len(rows), class_id, np.int32))


def test_iou_of_equal_half_and_distant_boxes() -> None:
    """1, a third for a shift by half the width, 0; and nothing against nothing is empty."""
    found = iou(boxes(person(0)), boxes(person(0), person(50), person(500)))
    assert found.tolist() == [[1.0, pytest.approx(1 / 3), 0.0]]
    assert iou(boxes(), boxes(person(0))).shape == (0, 1)
    assert iou(boxes((5, 5, 5, 5)), boxes((5, 5, 5, 5))).tolist() == [[0.0]]


def test_each_true_box_is_held_against_the_best_shown_one_of_its_frame() -> None:
    """Frame numbers run on past the content's length and meet it again from its start."""
    own = truth(boxes(person(0)), boxes(person(10)), boxes(person(20)), boxes(person(30)))
    found = compare([shown(4, person(400), person(0)), shown(5, person(10)), shown(7, person(80))], own, ORDER, 0.25)
    assert found.boxes == 3
    assert found.median_iou == 1.0
    assert found.missed == pytest.approx(1 / 3)
    assert found.invented == pytest.approx(2 / 4)


def test_a_missing_box_counts_as_zero() -> None:
    """Showing nothing cannot improve the median."""
    own = truth(*[boxes(person(0))] * 4)
    found = compare([shown(0, person(0)), shown(1), shown(2)], own, ORDER, 0.25)
    assert found.median_iou == 0.0
    assert found.missed == pytest.approx(2 / 3)


def test_a_box_of_another_class_does_not_count() -> None:
    """A dog where a person is is a miss."""
    own = truth(*[boxes(person(0))] * 4)
    assert compare([shown(0, person(0), class_id=16)], own, ORDER, 0.25).missed == 1.0


def test_boxes_below_the_profiles_confidence_are_not_asked_for() -> None:
    """The truth holds everything from 0.1 upwards; the server shows what its profile shows."""
    own = truth(*[boxes(person(0), person(500))] * 4)
    own.confidence[0][1] = 0.2
    assert compare([shown(0, person(0))], own, ORDER, 0.25).boxes == 1


def test_moving_boxes_are_told_from_standing_ones() -> None:
    """Only the third frame's person has moved since the frame before."""
    own = truth(boxes(person(0)), boxes(person(0)), boxes(person(40)), boxes(person(40)))
    found = compare([shown(n, person(0)) for n in (1, 2, 3)], own, ORDER, 0.25)
    assert found.moving_boxes == 1
    assert found.moving_median_iou == pytest.approx(60 / 140)


def test_content_without_any_object_is_an_error() -> None:
    """A median over nothing is not reported."""
    with pytest.raises(ValueError, match=r"finds nothing with a confidence of 0\.25"):
        compare([shown(0)], truth(*[boxes()] * 4), ORDER, 0.25)


def test_truth_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    """Frames without boxes stay where they were."""
    own = truth(boxes(), boxes(person(1), person(2)), boxes(), boxes(person(3)))
    own.save(tmp_path / "truth.npz")
    again = Truth.read(tmp_path / "truth.npz")
    assert [b.tolist() for b in again.boxes] == [b.tolist() for b in own.boxes]
    assert [len(c) for c in again.class_id] == [0, 2, 0, 1]
