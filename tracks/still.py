"""The last picture of a source that gives no more, marked so that nobody takes it for a live one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError
from av import VideoFrame

from .draw import BLACK, WHITE
from .glyphs import text_mask
from .planes import copy, planes

STILL_S = 1.0
"""Between two stills: viewers see the age grow, and one who comes sees something soon."""
NOTHING_YET = (640, 360)
"""Size of the picture before the first."""
DIMMED = 0.45


class StillTrack(MediaStreamTrack):
    """A track that goes on while its source gives nothing: with its last picture, once a second, and its age."""

    kind = "video"

    def __init__(
        self,
        source: MediaStreamTrack,
        newest: Callable[[], VideoFrame | None],
        says: Callable[[], str | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`newest` is the last picture with nothing drawn on it; `says` what is to be read on it, or None while it need
        not be shown again."""
        super().__init__()
        self._source = source
        self._newest = newest
        self._says = says
        self._now = now
        self._ticks: int | None = None
        self._ticks_s = 0.0

    async def recv(self) -> VideoFrame:
        """The next picture, in the order of pts. Raises MediaStreamError when the source has ended."""
        while True:
            try:
                async with asyncio.timeout(STILL_S):
                    frame = await self._source.recv()
            except TimeoutError:
                if (text := self._says()) is not None:
                    return self._still(text)
            else:
                assert isinstance(frame, VideoFrame)
                if frame.pts is None or frame.time_base is None:
                    raise MediaStreamError
                ticks = round(frame.pts * frame.time_base * VIDEO_CLOCK_RATE)
                if self._ticks is None or ticks > self._ticks:
                    self._ticks, self._ticks_s = ticks, self._now()
                    return frame

    def _still(self, text: str) -> VideoFrame:
        now_s = self._now()
        if self._ticks is None:
            self._ticks = 0
        else:
            self._ticks += max(1, round((now_s - self._ticks_s) * VIDEO_CLOCK_RATE))
        self._ticks_s = now_s
        frame = still(self._newest(), text)
        frame.pts, frame.time_base = self._ticks, VIDEO_TIME_BASE
        return frame


def still(picture: VideoFrame | None, text: str) -> VideoFrame:
    """A copy of a yuv420p picture, dark and pale, with a line across it that says `text`."""
    if picture is None:
        frame = VideoFrame(*NOTHING_YET, "yuv420p")
        for plane, level in zip(planes(frame), (28, 128, 128), strict=True):
            plane[:] = level
    else:
        frame = copy(picture)
        for plane, level in zip(planes(frame), (16, 128, 128), strict=True):
            plane[:] = np.rint(level + (plane.astype(np.float32) - level) * DIMMED).astype(np.uint8)
    target = planes(frame)
    mask = _fitting(text, frame.width)
    rows, columns = mask.shape[0], mask.shape[1] // 2 * 2
    top, left = (frame.height - rows) // 4 * 2, (frame.width - columns) // 4 * 2
    for plane, level, scale in zip(target, BLACK, (1, 2, 2), strict=True):
        plane[max(0, top - rows // 4 * 2) // scale : (top + rows + rows // 4 * 2) // scale] = level
    cover = mask[:, :columns].astype(np.float32) / 255
    area = target.y[top : top + rows, left : left + columns]
    area[:] = np.rint(BLACK.y + (WHITE.y - BLACK.y) * cover[: area.shape[0], : area.shape[1]]).astype(np.uint8)
    return frame


def _fitting(text: str, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The text as large as suits the picture, and its columns no more than there are."""
    size = max(12, round(width / 24))
    while (mask := text_mask(text, size)).shape[1] > width - 8 and size > 8:
        size = size * 3 // 4
    return mask[:, : max(2, width - 8)]


def age(seconds: float) -> str:
    """Of a picture, for people: 12 s, 3 min, 5 h."""
    for unit, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds)} s"
