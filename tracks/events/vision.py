"""What the picture shows: detections of one frame, and objects that enter, dwell and leave."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

from .envelope import Model


class FrameSize(Model):
    """Size of the source frame in pixels."""

    width: int
    height: int


class DetectedObject(Model):
    """One box on one frame."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of the source frame."""
    label: str
    confidence: float
    track_id: int | None = None


class DetectionData(Model):
    """What was found in one frame."""

    frame: FrameSize
    inference_ms: float
    rtp_time: int | None = None
    """90 kHz ticks of the session's video clock: a peer's rtpOrigin plus this, mod 2^32, is its picture's timestamp."""
    source_rtp_time: int | None = None
    """The publisher's own RTP timestamp of this frame."""
    frame_ts: float | None = None
    """What the client that sent this frame as a message calls its time: the very same number."""
    frame_id: str | None = None
    """What that client calls the frame."""
    objects: list[DetectedObject]

    def index_labels(self) -> AbstractSet[str]:
        """Of everything in the frame."""
        return {each.label for each in self.objects}


class ObjectData(Model):
    """A tracked object entered the scene, has stayed, or left it."""

    phase: Literal["entered", "dwelt", "left"]
    track_id: int
    label: str
    first_seen: float
    """Seconds on the session clock."""
    last_seen: float
    box: tuple[float, float, float, float]
    """The box of the highest confidence so far, pixels of the source frame."""
    confidence: float
    """The highest confidence so far."""
    thumbnail: str | None = None
    """Id of the artifact with a picture of it; absent when there is none."""
    frame_ts: float | None = None
    """As in `detection`, of the frame in which this was noticed."""
    frame_id: str | None = None

    def index_labels(self) -> AbstractSet[str]:
        """Its own."""
        return {self.label}
