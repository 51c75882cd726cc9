"""Cameras that the server connects to: what may be one, what is behind its url, and its picture."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from tracks.errors import Overloaded
from tracks.jpeg import encode_jpeg
from tracks.media.info import MediaInfo
from tracks.sources.reach import Reach, Resolve
from tracks.sources.rtsp import CameraSource, Target, open_camera, probe
from tracks.sources.urls import MediaUrl, parse
from tracks.stats import Stats

from . import store

if TYPE_CHECKING:
    from .session import LiveSession

Transport = Literal["tcp", "udp"]

SCHEMES = ("rtsp",)
MAX_PROBES = 4
"""At once: each takes a process."""
RETRY_S = 3.0
MAX_PREVIEWS = 256
"""JPEGs kept, of 100 KB or so each."""


class CameraOptions(BaseModel):
    """What is kept of a camera besides its url."""

    model_config = ConfigDict(frozen=True)

    transport: Transport = "tcp"
    autostart: bool = False
    """A session is always there, after a restart, too."""
    media: MediaInfo | None = None
    """What was found when it was looked at."""

    @classmethod
    def of(cls, source: store.Source) -> CameraOptions:
        """Of a source that is a camera."""
        return cls.model_validate(source.options or {})

    def stored(self) -> Mapping[str, Any]:
        """As JSON."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that was looked at."""

    url: MediaUrl
    options: CameraOptions
    preview: bytes
    """JPEG."""


class Cameras:
    """Looks at cameras before they are sources, and opens those that are. Call on the event loop."""

    def __init__(self, reach: Reach, resolve: Resolve | None = None) -> None:
        self._reach = reach
        self._resolve = resolve
        self._probes = 0
        self._previews: OrderedDict[str, bytes] = OrderedDict()

    def url(self, text: str, before: str | None = None) -> MediaUrl:
        """A url that somebody gives; where it hides credentials, they are those of the url `before`.

        Raises InvalidRequest, and ForbiddenUrl for its scheme.
        """
        url = parse(text, SCHEMES)
        return url if before is None else url.revised(parse(before, SCHEMES))

    async def look(self, url: MediaUrl, options: CameraOptions) -> Found:
        """What is there, by its first picture. Raises what `tracks.sources.rtsp.probe` raises."""
        if self._probes >= MAX_PROBES:
            raise Overloaded(
                f"{MAX_PROBES} cameras are being looked at, which is all at once that this server does",
                {"retryAfter": RETRY_S},
            )
        self._probes += 1
        try:
            found = await probe(self._target(url, options))
        finally:
            self._probes -= 1
        preview = await asyncio.to_thread(encode_jpeg, found.picture)
        return Found(url, options.model_copy(update={"media": found.media}), preview)

    async def open(self, source: store.Source, stats: Stats) -> CameraSource:
        """The camera of a source, watched from now on, whether it is there or not."""
        options = CameraOptions.of(source)
        target = self._target(parse(source.url or "", SCHEMES), options)
        audio = options.media is None or options.media.audio is not None
        return await open_camera(target, audio=audio, stats=stats)

    def preview(self, source_id: str) -> bytes | None:
        """The picture that a source was last found with."""
        return self._previews.get(source_id)

    def keep_preview(self, source_id: str, jpeg: bytes) -> None:
        """Remember it, at the cost of the oldest."""
        self._previews[source_id] = jpeg
        self._previews.move_to_end(source_id)
        if len(self._previews) > MAX_PREVIEWS:
            self._previews.popitem(last=False)

    def forget(self, source_id: str) -> None:
        """The source is gone."""
        self._previews.pop(source_id, None)

    def _target(self, url: MediaUrl, options: CameraOptions) -> Target:
        target = Target(url, self._reach, udp=options.transport == "udp")
        return replace(target, resolve=self._resolve)


def newest_on(live: Iterable[LiveSession], source_id: str) -> LiveSession | None:
    """The newest of the running sessions that has a source."""
    return max((each for each in live if each.row.source_id == source_id), key=lambda each: each.row.id, default=None)
