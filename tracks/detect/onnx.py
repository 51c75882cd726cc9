"""Detection in ONNX Runtime, without torch: CPUs that OpenVINO does not serve, NVIDIA GPUs with its CUDA build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..errors import InvalidRequest
from ..silence import onnxruntime
from ..types import Detections, Image
from . import Detector, DetectorInfo
from .export import exported
from .metadata import Metadata, from_mapping
from .options import Options
from .postprocess import decode
from .shape import InputShape
from .weights import Weights, WeightsRefused

MAX_BATCH = 4
"""Pictures at once for models whose batch is open; larger batches only add latency on a CPU."""


def load(weights: Weights, options: Options) -> Detector:
    """The detector for an .onnx file as it is, or for a .pt through an export made once. Blocking."""
    path = exported(weights, "onnx", options) if weights.format == "pt" else weights.path
    _refuse_external_data(path)
    runtime = onnxruntime()
    settings = runtime.SessionOptions()
    settings.log_severity_level = 3  # errors only: warnings would go to stderr unformatted
    # Idle threads that spin between frames take the cores from the encoder.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.threads:
        settings.intra_op_num_threads = options.threads
    providers = ["CPUExecutionProvider"]
    if options.device == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
    session = runtime.InferenceSession(str(path), settings, providers=providers)
    return OnnxDetector(weights, session, from_mapping(session.get_modelmeta().custom_metadata_map, path), options)


class OnnxDetector:
    """One ONNX Runtime session."""

    def __init__(self, weights: Weights, session: Any, metadata: Metadata, options: Options) -> None:
        self._session = session
        self._input = session.get_inputs()[0]
        batch, _, height, width = self._input.shape
        self._batch = batch if isinstance(batch, int) else None
        self.max_batch = self._batch or MAX_BATCH
        fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        self._shape = InputShape(options.input_size, metadata.stride, fixed)
        self._dtype = np.float16 if "float16" in self._input.type else np.float32
        self._end2end = metadata.end2end
        classes = 0 if self._end2end else session.get_outputs()[0].shape[1]
        self.info = DetectorInfo(
            name=weights.name,
            runtime="onnxruntime",
            device="cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu",
            precision="fp16" if self._dtype is np.float16 else "fp32",
            file=str(weights.path),
            sha256=weights.sha256,
            labels=weights.labels
            or metadata.labels
            or tuple(f"class{index}" for index in range(classes - 4 if isinstance(classes, int) else 0)),
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
        if not images:
            return []
        filled = [*images, *[images[-1]] * ((self._batch or len(images)) - len(images))]
        pictures = np.stack(filled).transpose(0, 3, 1, 2).astype(self._dtype, order="C")
        np.divide(pictures, 255, out=pictures)
        output = self._session.run(None, {self._input.name: pictures})[0]
        return decode(output[: len(images)].astype(np.float32, copy=False), end2end=self._end2end)

    def close(self) -> None:
        """Free the session and its threads."""
        self._session = None


def _refuse_external_data(path: Path) -> None:
    """A model whose tensors lie in other files could name any file of the machine; the hash covers only this one."""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises classes of its C++ side that it does not export
        raise WeightsRefused(f"weights {path} are truncated or no ONNX model: {error}") from error
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise WeightsRefused(f"weights {path} refer to data in other files (tensor {tensor.name!r}): not loaded")
