"""What an exported ultralytics model says of itself: labels, stride, task and head."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from .weights import WeightsRefused

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Metadata:
    """The few fields that detection needs."""

    labels: tuple[str, ...]
    """Empty when the model carries none."""
    stride: int
    end2end: bool
    """Whether the output is final boxes, (batch, boxes, 6), instead of scores per anchor."""


def from_yaml(path: Path) -> Metadata:
    """Read the metadata.yaml that ultralytics writes beside an OpenVINO export; defaults when there is none.

    Raises WeightsRefused when it is there and makes no sense.
    """
    if not path.is_file():
        return from_mapping({}, path)
    if path.stat().st_size > _MAX_BYTES:
        raise WeightsRefused(f"{path} has more than {_MAX_BYTES} bytes")
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsRefused(f"{path} is no YAML: {error}") from error
    return from_mapping(document if isinstance(document, dict) else {}, path)


def from_mapping(values: Mapping[str, Any], path: Path) -> Metadata:
    """Metadata from ultralytics' keys; ONNX carries every value as the text of a Python literal.

    Raises WeightsRefused for a model of another task, or for values of the wrong kind.
    """
    task = str(values.get("task", "detect"))
    if task != "detect":
        raise WeightsRefused(f"{path} is a model for {task!r}, expected 'detect'")
    try:
        names = _literal(values.get("names", {}))
        if isinstance(names, list):
            names = dict(enumerate(names))
        labels = tuple(str(names[index]) for index in range(len(names)))
        args = _literal(values.get("args", {}))
        end2end = bool(_literal(values.get("end2end", False)) or (args or {}).get("nms", False))
        return Metadata(labels, int(values.get("stride", 32)), end2end)
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError) as error:
        raise WeightsRefused(f"metadata of {path} makes no sense: {error!r}") from error


def _literal(value: Any) -> Any:
    return ast.literal_eval(value) if isinstance(value, str) else value
