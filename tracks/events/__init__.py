"""Event kinds: one pydantic model each, which also make the JSON Schema. A new kind is one class and one line below."""

from __future__ import annotations

from .envelope import Event, LiveCopy, Model
from .session import ErrorData, MetricData, ProgressData, SessionData, SessionState, StageLatency
from .speech import SpeechData, SpokenWord, TranscriptData
from .vision import DetectedObject, DetectionData, FrameSize, ObjectData

KINDS: dict[str, type[Model]] = {
    "detection": DetectionData,
    "object": ObjectData,
    "speech": SpeechData,
    "transcript": TranscriptData,
    "metric": MetricData,
    "progress": ProgressData,
    "session": SessionData,
    "error": ErrorData,
}
"""The model of `data` for every kind of event."""

__all__ = [
    "KINDS",
    "DetectedObject",
    "DetectionData",
    "ErrorData",
    "Event",
    "FrameSize",
    "LiveCopy",
    "MetricData",
    "Model",
    "ObjectData",
    "ProgressData",
    "SessionData",
    "SessionState",
    "SpeechData",
    "SpokenWord",
    "StageLatency",
    "TranscriptData",
]
