"""A session's own life: its state, its numbers and its errors."""

from __future__ import annotations

from typing import Any, Literal

from .envelope import Model

SessionState = Literal["connecting", "live", "stalled", "reconnecting", "paused", "ended", "failed"]


class SessionData(Model):
    """The session changed its state, or something about how it runs changed."""

    state: SessionState
    reason: str | None = None
    change: dict[str, Any] | None = None
    """What changed besides the state: profile, model, drops."""


class StageLatency(Model):
    """Latency of one stage over the last second, in milliseconds."""

    p50: float
    p95: float


class MetricData(Model):
    """The session's numbers over the last second."""

    fps_in: float
    fps_detected: float
    fps_out: float
    latency_ms: dict[str, StageLatency]
    """By stage: `infer`, `frame` (arrival of the frame to hand-over to the encoder)."""
    queues: dict[str, int]
    """Depth by queue."""
    drops: dict[str, int]
    """Frames and events lost since the session began, by where."""
    cpu_percent: float
    """Of one core, this process."""
    memory_bytes: int
    """Resident set of this process."""
    loop_lag_ms: float
    """p99 over the last seconds."""


class ProgressData(Model):
    """How far the file of a session of mode `batch` is worked through."""

    share: float
    """0 to 1: of the file, on average over what is done with it."""
    duration: float
    """Seconds of the file in all."""
    watched: float | None
    """Seconds of the file whose pictures are done; null when they are not looked at."""
    heard: float | None
    """Seconds of the file up to which everything that was said is told; null when it is not listened to."""
    frames_detected: int
    speed: float
    """Times real time, on average so far."""


class ErrorData(Model):
    """Something failed; `code` is stable."""

    code: str
    message: str
    details: dict[str, Any] | None = None
