"""Single pictures from clients, to what is on them: decoded on threads of their own, detected beside the sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from aiohttp import web
from av import VideoFrame

from tracks.detect import Detector, DetectorInfo
from tracks.draw import annotate
from tracks.errors import InvalidRequest, ModelUnavailable, NotFound, Overloaded, PayloadTooLarge
from tracks.frames import Letterbox, letterbox
from tracks.images import LIMITS, as_video, decode_image
from tracks.jpeg import encode_jpeg
from tracks.lookout import DetectorWorker
from tracks.registry import Profile
from tracks.types import Detections, Image

from .engines import Engines
from .uploads import MAX_FIELD_BYTES, read_file

T = TypeVar("T")

MAX_AT_ONCE = 16
"""Pictures received or worked on at a time, each of up to 25 MB as a file; decoded, they take four times that in the
worst case, but only as many as there are threads."""
AT_DETECTOR = 4
"""Of them, how many are with the detector: enough to share its calls, and few enough that sessions, whose pictures wait
in the same queue, hardly notice."""
RECEIVE_S = 30.0
WAIT_S = 10.0
"""For the detector's turn."""
LOAD_S = 30.0
"""For the detector to be loaded."""
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants to know of its picture."""

    profile: str | None = None
    classes: Collection[str] | None = None
    """Labels that are kept; None: all."""
    confidence: float | None = None
    """Boxes below it are left out; None: what the profile says."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is on a picture, and what it took to find out."""

    frame: VideoFrame
    """As `decode_image` gives it as stored."""
    detections: Detections
    """In pixels of the frame, most confident first."""
    info: DetectorInfo
    decode_s: float
    wait_s: float
    """For threads to decode and scale it, and for the detector's turn."""
    infer_s: float


class Frames:
    """Takes pictures from clients and has them looked at. `threads` decode and encode."""

    def __init__(self, engines: Engines, threads: Executor, default_profile: str) -> None:
        self.looked = 0
        """Pictures that were looked at."""
        self.refused = 0
        """Pictures for which there was no room, or no turn of the detector."""
        self.at_once = 0
        """Pictures that are received or worked on now."""
        self._engines = engines
        self._threads = threads
        self._default_profile = default_profile
        self._turns = asyncio.Semaphore(AT_DETECTOR)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one picture, from the first byte on. Raises Overloaded when there is none."""
        if self.at_once >= MAX_AT_ONCE:
            self.refused += 1
            raise Overloaded(
                f"{MAX_AT_ONCE} pictures are worked on, which is all at once that this server does",
                {"retryAfter": RETRY_S},
            )
        self.at_once += 1
        try:
            yield
        finally:
            self.at_once -= 1

    async def receive(self, request: web.Request) -> tuple[bytes, Mapping[str, Sequence[str]]]:
        """The request's picture, as a file, and the form's other fields.

        Raises InvalidRequest for a form that is broken, a body that does not arrive, and PayloadTooLarge over the cap.
        """
        if (request.content_length or 0) > LIMITS.max_bytes + MAX_FIELD_BYTES:
            raise _too_large()
        held = bytearray()

        async def hold(chunks: AsyncIterator[bytes]) -> None:
            async for chunk in chunks:
                held.extend(chunk)
                if len(held) > LIMITS.max_bytes:
                    raise _too_large()

        try:
            async with asyncio.timeout(RECEIVE_S):
                fields = await read_file(request, hold)
        except TimeoutError:
            raise InvalidRequest(f"the body did not arrive within {RECEIVE_S:g} s") from None
        return bytes(held), fields

    async def look(self, file: bytes, wanted: Wanted) -> Look:
        """What is on the picture in a file.

        Raises as `decode_image`; InvalidRequest, naming the choices, for an unknown profile or class; ModelUnavailable;
        Overloaded when the detector's turn does not come in time.
        """
        began_s = time.monotonic()
        profile, frame, decode_s = await self._run(partial(self._open, wanted.profile, file))
        decoded_s = time.monotonic()
        worker = self._engines.worker(profile)
        detector = await self._loaded(worker)
        labels = detector.info.labels
        for name in wanted.classes or ():
            if name not in labels:
                raise InvalidRequest(f"unknown class {name[:40]!r}, have: {', '.join(labels)}")
        asked_s = time.monotonic()
        image, box = await self._run(partial(_scaled, detector, frame))
        found, started_s = await self._detected(worker, image)
        infer_s = time.monotonic() - started_s
        self.looked += 1
        least = profile.confidence if wanted.confidence is None else wanted.confidence
        return Look(
            frame,
            _kept(found.moved(box.to_source(found.xyxy)), labels, least, wanted.classes),
            detector.info,
            decode_s,
            (decoded_s - began_s - decode_s) + (started_s - asked_s),
            infer_s,
        )

    async def drawn(self, look: Look) -> bytes:
        """The picture with what was found drawn on it, as JPEG."""
        return await self._run(partial(_draw, look))

    def _open(self, profile: str | None, file: bytes) -> tuple[Profile, VideoFrame, float]:
        """The profile, the picture, and how long that took to decode. Blocking."""
        try:
            found = self._engines.profile(profile or self._default_profile)
        except NotFound as error:
            raise InvalidRequest(error.message) from None
        began_s = time.monotonic()
        frame = decode_image(file, as_stored=True)
        return found, frame, time.monotonic() - began_s

    async def _loaded(self, worker: DetectorWorker) -> Detector:
        try:
            async with asyncio.timeout(LOAD_S):
                return await worker.start()
        except TimeoutError:
            raise ModelUnavailable("the detector is still loading", {"retryAfter": RETRY_S}) from None

    async def _detected(self, worker: DetectorWorker, image: Image) -> tuple[Detections, float]:
        """What is on the detector's input, in pixels of it, and when (monotonic seconds) the detector's turn came."""
        started_s: list[float] = []

        def take() -> Image:
            """On the worker's thread, right before the detector runs."""
            started_s.append(time.monotonic())
            return image

        try:
            with self._engines.retired.held(worker):
                async with asyncio.timeout(WAIT_S), self._turns:
                    found = await worker.submit(take, timeout_s=WAIT_S)
        except (TimeoutError, Overloaded):
            self.refused += 1
            raise Overloaded(f"the detector's turn did not come within {WAIT_S:g} s", {"retryAfter": RETRY_S}) from None
        return found, started_s[0]

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _kept(found: Detections, labels: Sequence[str], confidence: float, classes: Collection[str] | None) -> Detections:
    keep = found.confidence >= confidence
    if classes is not None:
        keep &= np.isin(found.class_id, [index for index, label in enumerate(labels) if label in classes])
    return found.select(keep)


def _scaled(detector: Detector, frame: VideoFrame) -> tuple[Image, Letterbox]:
    """The detector's input for a frame. Blocking; not on the detector's thread, which is to detect meanwhile."""
    return letterbox(frame, detector.input_size(frame.width, frame.height))


def _draw(look: Look) -> bytes:
    """Blocking."""
    return encode_jpeg(annotate(as_video(look.frame), look.detections, look.info.labels))


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"the picture has more than {LIMITS.max_bytes} bytes", {"maxBytes": LIMITS.max_bytes})
