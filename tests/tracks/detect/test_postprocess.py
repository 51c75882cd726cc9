"""From model outputs to detections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ultralytics.utils.nms import non_max_suppression

from tracks.detect.postprocess import MAX_DETECTIONS, MAX_OVERLAP, MIN_CONFIDENCE, decode


def crowd(seed: int, classes: int = 80, anchors: int = 2100, batch: int = 2) -> np.ndarray:
    """Raw output with clusters of overlapping boxes of several classes, as a model makes them."""
    rng = np.random.default_rng(seed)
    output = np.zeros((batch, 4 + classes, anchors), np.float32)
    objects = rng.uniform(60, 580, (batch, 25, 2))
    which = rng.integers(0, 25, (batch, anchors))
    for picture in range(batch):
        output[picture, :2] = (objects[picture, which[picture]] + rng.normal(0, 8, (anchors, 2))).T
        output[picture, 2:4] = rng.uniform(40, 120, (2, anchors))
    strong = rng.random((batch, classes, anchors)) < 0.24 / classes
    output[:, 4:] = np.where(strong, rng.random(strong.shape), rng.random(strong.shape) * 0.05)
    return output


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [1, 80])
def test_equals_ultralytics_suppression(seed: int, classes: int) -> None:
    """The same boxes, scores and classes in the same order as ultralytics' own function."""
    output = crowd(seed, classes)
    expected = non_max_suppression(torch.from_numpy(output.copy()), MIN_CONFIDENCE, MAX_OVERLAP, max_det=MAX_DETECTIONS)
    found = decode(output, end2end=False)
    assert sum(map(len, found)) > 10
    for mine, theirs in zip(found, expected, strict=True):
        assert len(mine) == len(theirs)
        np.testing.assert_allclose(mine.xyxy, theirs[:, :4].numpy(), atol=1e-3)
        np.testing.assert_allclose(mine.confidence, theirs[:, 4].numpy(), atol=1e-6)
        np.testing.assert_array_equal(mine.class_id, theirs[:, 5].numpy())


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    """A person on a bicycle stays two detections; two of one class become one."""
    output = np.zeros((1, 6, 3), np.float32)
    output[0, :4] = np.array([[100, 100, 50, 50]] * 3).T
    output[0, 4:] = [[0.9, 0.8, 0.0], [0.0, 0.0, 0.7]]
    found = decode(output, end2end=False)[0]
    assert found.class_id.tolist() == [0, 1]
    assert found.xyxy.tolist() == [[75, 75, 125, 125]] * 2


def test_nothing_found_is_empty_not_an_error() -> None:
    """A picture without objects gives arrays of length 0 and the right shapes."""
    for output, end2end in ((np.zeros((1, 84, 100), np.float32), False), (np.zeros((1, 300, 6), np.float32), True)):
        (found,) = decode(output, end2end=end2end)
        assert found.xyxy.shape == (0, 4)
        assert found.confidence.shape == found.class_id.shape == (0,)
        assert found.xyxy.dtype == np.float32
        assert found.class_id.dtype == np.int32


def test_an_end_to_end_head_is_only_filtered() -> None:
    """Boxes of such a head are final: weak ones go, order is by confidence, overlaps stay."""
    output = np.zeros((1, 300, 6), np.float32)
    output[0, :3] = [[1, 2, 3, 4, 0.3, 5], [1, 2, 3, 4, 0.9, 5], [9, 9, 10, 10, 0.05, 1]]
    (found,) = decode(output, end2end=True)
    assert found.confidence.tolist() == pytest.approx([0.9, 0.3])
    assert found.class_id.tolist() == [5, 5]


def test_the_result_does_not_change_with_the_output() -> None:
    """A runtime reuses its output's memory for the next frame; detections are their own."""
    output = crowd(1)
    found = decode(output, end2end=False)[0]
    before = found.xyxy.copy()
    output[:] = 0
    np.testing.assert_array_equal(found.xyxy, before)
