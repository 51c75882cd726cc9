"""Detection in torch through ultralytics' AutoBackend: NVIDIA and Apple GPUs, and CPUs where nothing faster runs."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InvalidRequest
from ..types import Detections, Image
from . import Detector, DetectorInfo
from .confine import confine_ultralytics
from .options import Options
from .postprocess import decode
from .shape import InputShape
from .weights import Weights, WeightsRefused

MAX_BATCH = {"cpu": 4, "mps": 8, "cuda": 16}
"""Pictures at once by device."""


def load(weights: Weights, options: Options) -> Detector:
    """The detector for a .pt checkpoint. Blocking; sets torch's thread count, so on the worker's thread."""
    confine_ultralytics(options.cache_dir)
    from ultralytics.nn.autobackend import AutoBackend
    from ultralytics.nn.tasks import load_checkpoint, torch_safe_load

    try:
        # Twice from the same bytes: the first only proves that nothing but known classes is in it, whatever
        # ultralytics read from the environment when it was imported.
        torch_safe_load(weights.path, safe_only=True)  # type: ignore[no-untyped-call]
        module, _ = load_checkpoint(weights.path)  # type: ignore[no-untyped-call]
    except (TypeError, RuntimeError, EOFError, pickle.UnpicklingError, ImportError, AttributeError) as error:
        raise WeightsRefused(f"weights {weights.path} refused: {error}") from error
    if module.task != "detect":
        raise WeightsRefused(f"{weights.path} is a model for {module.task!r}, expected 'detect'")
    if options.threads and options.device == "cpu":
        torch.set_num_threads(options.threads)
    # The exports for the other runtimes have the head that needs suppression; the same one here gives the same boxes.
    backend = AutoBackend(
        module, device=torch.device(options.device), fp16=options.device == "cuda", verbose=False, end2end=False
    )
    return TorchDetector(weights, backend.eval(), options)


class TorchDetector:
    """One torch model on one device."""

    def __init__(self, weights: Weights, backend: Any, options: Options) -> None:
        self._backend = backend
        self._device = torch.device(options.device)
        self._shape = InputShape(options.input_size, int(backend.stride))
        self.max_batch = MAX_BATCH[options.device]
        self.info = DetectorInfo(
            name=weights.name,
            runtime="torch" if options.device == "cpu" else options.device,
            device=torch.cuda.get_device_name() if options.device == "cuda" else options.device,
            precision="fp16" if backend.fp16 else "fp32",
            file=str(weights.path),
            sha256=weights.sha256,
            labels=weights.labels or tuple(backend.names[index] for index in range(len(backend.names))),
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
        with torch.inference_mode():
            pictures = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2)
            output = self._backend(pictures.to(torch.half if self._backend.fp16 else torch.float) / 255)
            output = output[0] if isinstance(output, list | tuple) else output
            return decode(output.float().cpu().numpy(), end2end=bool(self._backend.end2end))

    def close(self) -> None:
        """Free the model and, on a GPU, the memory that torch keeps for it."""
        self._backend = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
