"""From what a track sees to the events that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .events import DetectedObject, DetectionData, FrameSize, Model, ObjectData
from .scene import Scene, SceneOptions
from .thumbnails import CLEARLY, BestCrops, Crop
from .ticket import Ticket
from .vision import Observation

STORE_INTERVAL_S = 1.0
"""A detection is stored at most this often, besides at every change of the scene."""


class EmitData(Protocol):
    """Makes an event of `data` and sends it on its way."""

    def __call__(self, kind: str, data: Model, media_s: float, *, stored: bool, at_once: bool = False) -> None:
        """`at_once`: besides being stored it goes out live, without waiting for its commit."""


class KeptCrop(Protocol):
    """A picture of an object that is being stored, or is."""

    @property
    def id(self) -> str:
        """What events call it."""

    @property
    def lost(self) -> bool:
        """Whether it could not be stored."""


KeepCrop = Callable[[Crop], KeptCrop]
"""Begins to store a crop."""


class VisionReporter:
    """Turns observations into `detection` and `object` events.

    A detection is stored each `store_every_s` seconds, and at every change of the scene; with 0, every one.

    With `keep`, an object's events name the best picture of it until then. Another is kept when the object dwells or
    leaves, if a clearly better one was seen meanwhile.
    """

    def __init__(
        self,
        emit: EmitData,
        source_rtp_time: Callable[[int], int | None],
        options: SceneOptions | None = None,
        keep: KeepCrop | None = None,
        *,
        store_every_s: float = STORE_INTERVAL_S,
    ) -> None:
        self._emit = emit
        self._source_rtp_time = source_rtp_time
        self._options = options or SceneOptions()
        self._keep = keep
        self._store_every_s = store_every_s
        self._crops = BestCrops()
        self._kept: dict[int, tuple[KeptCrop, float]] = {}
        self._scene: Scene | None = None
        self._stored_s = float("-inf")

    def observe(self, seen: Observation) -> None:
        """Tell of one detected frame: always live, stored when the scene changed or a second has passed."""
        if self._scene is None:
            self._scene = Scene(seen.labels, self._options)
        self._scene.labels = seen.labels
        if self._keep is not None:
            self._crops.look(seen.frame, seen.tracked, seen.media_s)
        change = self._scene.update(seen.tracked, seen.media_s)
        data = _detection(seen, self._source_rtp_time(seen.source_ticks))
        keep = change.changed or seen.media_s - self._stored_s >= self._store_every_s
        if keep:
            self._stored_s = seen.media_s
        self._emit("detection", data, seen.media_s, stored=keep, at_once=True)
        for happening in change.objects:
            told = self._pictured(happening)
            if seen.ticket is not None:
                told = told.model_copy(update=_name(seen.ticket))
            self._emit("object", told, seen.media_s, stored=True)
        self._forget(self._scene.watched)

    def end(self, media_s: float) -> None:
        """The picture is gone: everything in it has left."""
        if self._scene is not None:
            for happening in self._scene.end(media_s):
                self._emit("object", self._pictured(happening), media_s, stored=True)
            self._forget(self._scene.watched)

    def _pictured(self, happening: ObjectData) -> ObjectData:
        """With the id of its picture, if there is one."""
        number = happening.track_id
        best = self._crops.best(number)
        if best is None or self._keep is None:
            return happening
        kept, score = self._kept.get(number, (None, 0.0))
        if kept is None or kept.lost or best.score > score * CLEARLY:
            kept = self._keep(best)
            self._kept[number] = kept, best.score
        return happening.model_copy(update={"thumbnail": kept.id})

    def _forget(self, watched: frozenset[int]) -> None:
        """Let go of the pictures of tracks that the scene has forgotten."""
        self._crops.keep_only(watched)
        for number in self._kept.keys() - watched:
            del self._kept[number]


def _name(ticket: Ticket) -> dict[str, Any]:
    """What the sender of a picture calls it."""
    return {"frame_ts": ticket.ts, **({} if ticket.id is None else {"frame_id": ticket.id})}


def _detection(seen: Observation, source_rtp_time: int | None) -> DetectionData:
    tracked = seen.tracked
    ids = tracked.track_id
    objects = [
        DetectedObject(
            box=tuple(round(float(edge), 1) for edge in tracked.xyxy[i]),  # type: ignore[arg-type]
            label=seen.labels[tracked.class_id[i]],
            confidence=round(float(tracked.confidence[i]), 3),
            track_id=None if ids is None else int(ids[i]),
        )
        for i in range(len(tracked))
    ]
    name = {} if seen.ticket is None else _name(seen.ticket)
    return DetectionData(
        **name,
        frame=FrameSize(width=seen.width, height=seen.height),
        inference_ms=round(seen.infer_s * 1000, 2),
        rtp_time=seen.ticks % 2**32,
        source_rtp_time=source_rtp_time,
        objects=objects,
    )
