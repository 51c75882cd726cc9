"""Every runtime on real weights finds the same people."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tracks.detect import Detector
from tracks.errors import InvalidRequest
from tracks.frames import letterbox
from tracks.types import Detections, Image

pytestmark = pytest.mark.timeout(240)  # an export takes 5 s alone and a minute on a busy machine

Load = Callable[..., Detector]
RUNTIMES = ("openvino", "onnxruntime", "torch")
BUS_PEOPLE = np.array([[224, 407, 341, 855], [51, 400, 240, 905], [670, 378, 807, 881]], np.float32)
"""The three people who are whole in bus.jpg, in pixels, as YOLOv8n sees them."""


def see(detector: Detector, frame: av.VideoFrame) -> Detections:
    """Detections in pixels of the frame."""
    image, fit = letterbox(frame, detector.input_size(frame.width, frame.height))
    found = detector.detect([image])[0]
    return found.moved(fit.to_source(found.xyxy))


def best_overlap(boxes: np.ndarray, wanted: np.ndarray) -> list[float]:
    """The best intersection over union that any box has with each wanted one."""
    low = np.maximum(boxes[:, None, :2], wanted[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], wanted[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, wanted)]
    return (shared / (area[0][:, None] + area[1][None] - shared)).max(axis=0).tolist()


def pictures(count: int, size: tuple[int, int], frame: av.VideoFrame) -> list[Image]:
    """Different crops of one photograph, letterboxed to one size."""
    rgb = frame.to_ndarray(format="rgb24")
    crops = [np.ascontiguousarray(rgb[:, 40 * index : frame.width - 40 * index]) for index in range(count)]
    return [letterbox(av.VideoFrame.from_ndarray(crop, format="rgb24"), size)[0] for crop in crops]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_bundled_weights_find_people(load: Load, bus: av.VideoFrame, runtime: str) -> None:
    """Three of four people of an unseen photograph are found on every runtime, and nobody where the sky is."""
    detector = load("people", runtime=runtime)
    assert detector.info.runtime == runtime
    assert not detector.info.fallback
    assert detector.info.labels == ("person",)
    found = see(detector, bus)
    sure = found.xyxy[found.confidence > 0.3]
    assert sum(each > 0.5 for each in best_overlap(sure, BUS_PEOPLE)) == 3
    assert len(sure) <= 3
    assert (np.diff(found.confidence) <= 0).all()
    assert found.confidence.min() >= 0.1


def test_all_runtimes_give_the_same_boxes(load: Load, bus: av.VideoFrame, zidane: av.VideoFrame) -> None:
    """The choice of a runtime changes the speed, not the result."""
    detectors = [load("people", runtime=runtime) for runtime in RUNTIMES]
    for frame in (bus, zidane):
        first, *others = [see(detector, frame) for detector in detectors]
        assert len(first) > 2
        for other in others:
            assert len(other) == len(first)
            np.testing.assert_allclose(other.xyxy, first.xyxy, atol=1.0)
            np.testing.assert_allclose(other.confidence, first.confidence, atol=0.01)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_batch_gives_what_single_pictures_give(load: Load, zidane: av.VideoFrame, runtime: str) -> None:
    """Batching is real and changes nothing: 1 to 4 different pictures at once."""
    detector = load("people", runtime=runtime)
    assert detector.max_batch >= 4
    images = pictures(4, detector.input_size(1280, 720), zidane)
    singles = [detector.detect([image])[0] for image in images]
    assert len({len(each) for each in singles} | {float(each.confidence[0]) for each in singles}) > 1
    for count in range(1, 5):
        batch = detector.detect(images[:count])
        assert len(batch) == count
        for one, other in zip(batch, singles, strict=False):
            assert len(one) == len(other)
            np.testing.assert_allclose(one.xyxy, other.xyxy, atol=0.05)
            np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_too_many_pictures_are_refused(load: Load, zidane: av.VideoFrame, runtime: str) -> None:
    """More than max_batch is an error, not a surprise; none at all gives nothing."""
    detector = load("people", runtime=runtime)
    assert detector.detect([]) == []
    with pytest.raises(InvalidRequest, match="at most 4"):
        detector.detect(pictures(1, detector.input_size(1280, 720), zidane) * 5)


def test_shapes_follow_the_source(load: Load, bus: av.VideoFrame) -> None:
    """One detector serves wide, tall and square sources, each in its own rectangle."""
    detector = load("people", runtime="openvino", input_size=320)
    assert detector.input_size(1280, 720) == (192, 320)
    assert detector.input_size(720, 1280) == (320, 192)
    assert detector.input_size(500, 500) == (320, 320)
    for height, width in ((192, 320), (320, 192), (320, 320)):
        assert len(detector.detect([letterbox(bus, (height, width))[0]])) == 1


def test_loading_again_keeps_no_more_threads(load: Load) -> None:
    """What a runtime keeps for itself does not grow with every load."""
    for runtime in ("openvino", "onnxruntime"):
        load("people", runtime=runtime).close()
        before = len(os.listdir("/proc/self/task")) if Path("/proc").is_dir() else 0
        for _ in range(3):
            load("people", runtime=runtime).close()
        after = len(os.listdir("/proc/self/task")) if Path("/proc").is_dir() else 0
        assert after <= before


def test_the_shared_int8_model_finds_everybody(load: Load, shared: Path, bus: av.VideoFrame) -> None:
    """Real YOLOv8n weights with a static shape run as they are, with their own labels."""
    detector = load(str(shared / "models" / "yolov8n_int8_openvino_model"))
    assert detector.info.precision == "int8"
    assert detector.max_batch == 1
    assert detector.input_size(1280, 720) == (640, 640)
    assert len(detector.info.labels) == 80
    found = see(detector, bus)
    labels = [detector.info.labels[index] for index in found.class_id]
    people = found.xyxy[(found.class_id == 0) & (found.confidence > 0.5)]
    assert len(people) == 3
    assert min(best_overlap(people, BUS_PEOPLE)) > 0.8
    assert "bus" in labels


def test_a_model_of_a_fixed_batch_looks_at_pictures_side_by_side(
    load: Load, shared: Path, zidane: av.VideoFrame
) -> None:
    """As many as there are calls at once, in their order, and each is found what is found on it alone."""
    detector = load(str(shared / "models" / "yolov8n_int8_openvino_model"), threads=2)
    assert detector.max_batch == 2
    images = pictures(2, (640, 640), zidane)
    alone = [detector.detect([image])[0] for image in images]
    assert float(alone[0].confidence[0]) != float(alone[1].confidence[0])
    for order in ((0, 1), (1, 0), (1,)):
        together = detector.detect([images[index] for index in order])
        assert len(together) == len(order)
        for one, index in zip(together, order, strict=True):
            np.testing.assert_allclose(one.xyxy, alone[index].xyxy, atol=0.05)
            np.testing.assert_allclose(one.confidence, alone[index].confidence, atol=1e-3)
    with pytest.raises(InvalidRequest, match="at most 2"):
        detector.detect(images[:1] * 3)


def test_our_graph_equals_autobackend(load: Load, shared: Path, bus: av.VideoFrame) -> None:
    """uint8 pictures through our OpenVINO graph give what ultralytics' AutoBackend gives on float ones."""
    import torch
    from ultralytics.nn.autobackend import AutoBackend
    from ultralytics.utils.nms import non_max_suppression

    from tracks.detect.postprocess import MAX_OVERLAP, MIN_CONFIDENCE

    path = shared / "models" / "yolov8n_int8_openvino_model"
    detector = load(str(path))
    image, _ = letterbox(bus.reformat(format="yuv420p"), (640, 640))
    tensor = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    theirs = non_max_suppression(AutoBackend(str(path), verbose=False)(tensor), MIN_CONFIDENCE, MAX_OVERLAP)[0].numpy()
    mine = detector.detect([image])[0]
    assert (theirs[:, 4] > 0.3).sum() >= 4
    for x1, y1, x2, y2, confidence, class_id in theirs[theirs[:, 4] > 0.3]:
        same = mine.class_id == int(class_id)
        overlaps = [best_overlap(box[None], np.array([[x1, y1, x2, y2]]))[0] for box in mine.xyxy[same]]
        # AutoBackend leaves bfloat16 on where the CPU has it, which moves edges by a pixel.
        assert max(overlaps) > 0.95
        assert abs(mine.confidence[same][int(np.argmax(overlaps))] - confidence) < 0.03
