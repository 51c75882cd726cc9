"""What changes in the picture: objects that enter, dwell and leave, with hysteresis so that a flicker is no event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .events import ObjectData
from .types import Detections


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """How long something must last before it is told, in seconds."""

    enter_s: float = 0.3
    """An object enters once it has been seen for this long."""
    dwell_s: float = 5.0
    """An object that entered dwells, once, when it has been seen for this long."""
    leave_s: float = 1.5
    """An object leaves when it has not been seen for longer."""

    def __post_init__(self) -> None:
        for name in ("enter_s", "dwell_s", "leave_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 s or more, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class SceneChange:
    """What one picture changed."""

    objects: list[ObjectData]
    """In the order in which it happened: who left, then who entered or dwells."""
    changed: bool
    """Whether other objects are present than before."""


@dataclass(slots=True)
class _Sighting:
    """One track, from its first box until it is forgotten."""

    label: str
    first_s: float
    last_s: float
    box: tuple[float, float, float, float]
    confidence: float
    entered: bool = False
    dwelt: bool = False


class Scene:
    """Turns the tracked boxes of one session into `object` events; forgets a track `leave_s` after its last box."""

    def __init__(self, labels: Sequence[str], options: SceneOptions | None = None) -> None:
        self.labels = labels
        """Of class ids. Another model may have others; what was seen keeps the name that it was seen under."""
        self._options = options or SceneOptions()
        self._sightings: dict[int, _Sighting] = {}
        self._at_s = float("-inf")

    @property
    def present(self) -> frozenset[int]:
        """Numbers of the tracks that have entered and not left."""
        return frozenset(number for number, sighting in self._sightings.items() if sighting.entered)

    @property
    def watched(self) -> frozenset[int]:
        """Numbers of all tracks that are not forgotten."""
        return frozenset(self._sightings)

    def update(self, tracked: Detections, at_s: float) -> SceneChange:
        """Take the tracked boxes of the picture of `at_s` (session clock), also when there are none.

        A time before the last one counts as the last one. Raises ValueError when the boxes have no track ids.
        """
        if tracked.track_id is None:
            raise ValueError("expected tracked detections, got some without track ids")
        self._at_s = at_s = max(at_s, self._at_s)
        numbers = tracked.track_id.tolist()
        left = self._leave(at_s, set(numbers))
        objects, entered = list(left), False
        for i, number in enumerate(numbers):
            sighting = self._see(number, tracked, i, at_s)
            seen_s = at_s - sighting.first_s
            if not sighting.entered and seen_s >= self._options.enter_s:
                sighting.entered = entered = True
                objects.append(_told(number, sighting, "entered"))
            if sighting.entered and not sighting.dwelt and seen_s >= self._options.dwell_s:
                sighting.dwelt = True
                objects.append(_told(number, sighting, "dwelt"))
        return SceneChange(objects, changed=entered or bool(left))

    def end(self, at_s: float) -> list[ObjectData]:
        """The picture is gone since `at_s`: everything in it has left, when it was last seen."""
        self._at_s = max(at_s, self._at_s)
        left = [_told(number, each, "left") for number, each in self._sightings.items() if each.entered]
        self._sightings.clear()
        return left

    def _leave(self, at_s: float, seen: set[int]) -> list[ObjectData]:
        """Forget what was not seen for too long and is not back now; only what had entered leaves.

        What has not entered yet must be seen in one go: `enter_s` is also how long it may be away.
        """
        left = []
        for number in self._sightings.keys() - seen:
            sighting = self._sightings[number]
            patience_s = self._options.leave_s if sighting.entered else self._options.enter_s
            if at_s - sighting.last_s > patience_s:
                del self._sightings[number]
                if sighting.entered:
                    left.append((number, sighting))
        return [_told(number, sighting, "left") for number, sighting in sorted(left, key=lambda each: each[0])]

    def _see(self, number: int, tracked: Detections, row: int, at_s: float) -> _Sighting:
        """Note one box: when, and whether it is the best so far."""
        confidence = float(tracked.confidence[row])
        sighting = self._sightings.get(number)
        if sighting is None:
            label = self._label(int(tracked.class_id[row]))
            sighting = self._sightings[number] = _Sighting(label, at_s, at_s, _corners(tracked, row), confidence)
        sighting.last_s = at_s
        if confidence > sighting.confidence:
            sighting.confidence, sighting.box = confidence, _corners(tracked, row)
        if not sighting.entered:
            # Later changes of mind are not told: an object leaves under the name that it entered by.
            sighting.label = self._label(int(tracked.class_id[row]))
        return sighting

    def _label(self, class_id: int) -> str:
        return self.labels[class_id] if 0 <= class_id < len(self.labels) else f"class {class_id}"


def _corners(tracked: Detections, row: int) -> tuple[float, float, float, float]:
    """A box as an event carries it: to a tenth of a pixel."""
    x1, y1, x2, y2 = (round(edge, 1) for edge in tracked.xyxy[row].tolist())
    return x1, y1, x2, y2


def _told(number: int, sighting: _Sighting, phase: Literal["entered", "dwelt", "left"]) -> ObjectData:
    return ObjectData(
        phase=phase,
        track_id=number,
        label=sighting.label,
        first_seen=sighting.first_s,
        last_seen=sighting.last_s,
        box=sighting.box,
        confidence=round(sighting.confidence, 3),
    )
