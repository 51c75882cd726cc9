"""Detection in OpenVINO on x86 CPUs, without torch.

AutoBackend could run these models too, but it gives no way to limit the threads (the detector then starves the encoder)
and wants float pictures; here the graph itself takes the uint8 pictures as they are.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InvalidRequest
from ..silence import openvino
from ..types import Detections, Image
from . import Detector, DetectorInfo
from .export import exported
from .metadata import Metadata, from_yaml
from .options import Options
from .postprocess import decode
from .shape import InputShape
from .weights import Weights

BATCHES = (4, 2, 1)
"""Batch sizes that are compiled; any number of pictures is cut into these. A shape known when compiling runs a third
faster than one left open."""
BESIDE = 2
"""Calls of a model whose batch is fixed that run side by side, each on its share of the threads. Measured on two cores
with YOLOv8n in INT8 at 640x640: 104 pictures a second in pairs, 88 one after the other, since threads of one inference
wait for each other; but 19 ms until both are there, in the place of 11 for one alone."""
MAX_COMPILED = 8
"""Compiled shapes kept; the least recently used goes."""


def load(weights: Weights, options: Options) -> Detector:
    """The detector for an OpenVINO folder as it is, or for a .pt through an export made once. Blocking."""
    path = exported(weights, "openvino", options) if weights.format == "pt" else weights.path
    model = openvino().Core().read_model(path)
    return OpenVinoDetector(weights, model, from_yaml(path.with_name("metadata.yaml")), options)


class OpenVinoDetector:
    """One OpenVINO model, compiled once per input shape."""

    def __init__(self, weights: Weights, model: Any, metadata: Metadata, options: Options) -> None:
        shape = model.input().get_partial_shape()
        self._static = shape.is_static
        self._batches = (int(shape[0].get_length()),) if shape[0].is_static else BATCHES
        cores = options.threads or os.cpu_count() or 1
        self._beside = min(BESIDE, cores) if self._static else 1
        self.max_batch = self._batches[0] * self._beside
        sides = (shape[2], shape[3])
        fixed = (int(shape[2].get_length()), int(shape[3].get_length())) if all(s.is_static for s in sides) else None
        self._shape = InputShape(options.input_size, metadata.stride, fixed)
        self._end2end = metadata.end2end
        int8 = any(each.get_type_name() == "FakeQuantize" for each in model.get_ops())
        classes = int(model.output().get_partial_shape()[1].get_length()) - 4 if not self._end2end else 0
        self._model = _with_uint8_input(model)
        self._config = {
            "PERFORMANCE_HINT": "LATENCY",
            # bfloat16, the default on some CPUs, has steps of 2 pixels at 400: boxes would jitter.
            "INFERENCE_PRECISION_HINT": "f32",
            # Pinned threads would sit on the encoder's cores whatever the scheduler knows.
            "ENABLE_CPU_PINNING": False,
            **({"INFERENCE_NUM_THREADS": options.threads} if options.threads else {}),
        }
        self._requests: OrderedDict[tuple[int, ...], list[Any]] = OrderedDict()
        """By the shape of a call's input, and the number of calls."""
        self.info = DetectorInfo(
            name=weights.name,
            runtime="openvino",
            device="cpu",
            precision="int8" if int8 else "fp32",
            file=str(weights.path),
            sha256=weights.sha256,
            labels=weights.labels or metadata.labels or tuple(f"class{index}" for index in range(classes)),
            reason=options.reason,
            fallback=options.fallback,
        )

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """(height, width) of the input for a source of this size."""
        return self._shape.of(width, height)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """See `Detector.detect`."""
        if len(images) > self.max_batch:
            raise InvalidRequest(f"{self.info.name} takes at most {self.max_batch} pictures at once, got {len(images)}")
        found: list[Detections] = []
        while len(found) < len(images):
            left = len(images) - len(found)
            size = next((each for each in self._batches if each <= left), self._batches[-1])
            calls = min(self._beside, -(-left // size))
            found += self._run(images[len(found) : len(found) + size * calls], size, calls)
        return found

    def close(self) -> None:
        """Free the compiled models. OpenVINO keeps its thread pool for the next model."""
        self._requests.clear()
        self._model = None

    def _run(self, images: Sequence[Image], batch: int, calls: int) -> list[Detections]:
        """Detect by so many calls of `batch` pictures, side by side; the last is filled up with the last picture."""
        filled = [*images, *[images[-1]] * (batch * calls - len(images))]
        parts = [
            filled[at][None] if batch == 1 else np.stack(filled[at : at + batch]) for at in range(0, len(filled), batch)
        ]
        requests = self._compiled(parts[0].shape, calls)
        if calls == 1:
            requests[0].infer(parts[0], share_inputs=True)  # on this thread, and no other has to be woken
        else:
            for request, part in zip(requests, parts, strict=True):
                request.start_async(part, share_inputs=True)
            for request in requests:
                request.wait()
        found: list[Detections] = []
        for request in requests:
            wanted = min(batch, len(images) - len(found))
            found += decode(request.get_output_tensor(0).data[:wanted], end2end=self._end2end)
        return found

    def _compiled(self, shape: tuple[int, ...], calls: int) -> list[Any]:
        """Inference requests for as many calls at once, compiled at their first use (0.3 s for a small model)."""
        key = (*shape, calls)
        requests = self._requests.pop(key, None)
        if requests is None:
            model = self._model.clone()
            if not self._static:
                model.reshape(list(shape))
            compiled = openvino().Core().compile_model(model, "CPU", {**self._config, "NUM_STREAMS": calls})
            requests = [compiled.create_infer_request() for _ in range(calls)]
            if len(self._requests) >= MAX_COMPILED:
                self._requests.popitem(last=False)
        self._requests[key] = requests
        return requests


def _with_uint8_input(model: Any) -> Any:
    """The model with uint8 (batch, height, width, 3) in the place of float (batch, 3, height, width) from 0 to 1."""
    ov = openvino()
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    return steps.build()
