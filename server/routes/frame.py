"""`POST /analyze/frame`: one picture in, what is on it out, as JSON or drawn on the picture."""

from __future__ import annotations

import base64
import time
from typing import Annotated, Any

from aiohttp import hdrs, web
from pydantic import BeforeValidator, Field

from tracks.events import FrameSize, Model
from tracks.jpeg import MEDIA_TYPE

from ..api import Answer, File, RawBody, Reply, Route, declare, example, reply
from ..api.query import Flag, read_values
from ..frames import Frames, Look, Wanted
from ..roles import Role
from ..transcription import while_connected

TAG = "analysis"
PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""What a picture may be declared as; what it is is told by its content."""
SAMPLE = "docs/console.png"
Label = Annotated[str, Field(max_length=200)]


def _classes(given: Any) -> Any:
    """`classes`, given once or more, or with commas."""
    return [name.strip() for text in given for name in str(text).split(",")] if isinstance(given, list) else given


class FrameQuery(Model):
    """What is asked of the picture."""

    profile: str | None = Field(default=None, max_length=200, examples=["accurate"])
    """Which detector looks: as in a session's profile; the server's own, unless given."""
    classes: Annotated[list[Label], BeforeValidator(_classes), Field(max_length=1000)] | None = Field(
        default=None, examples=[["person"]]
    )
    """Labels that are kept, all unless given; given once or more, or with commas."""
    confidence: float | None = Field(default=None, ge=0.1, le=1, examples=[0.5])
    """Boxes below it are left out; what the profile says, unless given."""
    overlay: Flag = False
    """Give the picture back with boxes drawn on it, in `overlay`."""


class FrameForm(FrameQuery):
    """A picture, and what is asked of it."""

    file: File
    """The picture: JPEG, PNG or WebP, told by its content."""


class FoundObject(Reply):
    """One thing on the picture."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in pixels of `frame`."""
    label: str
    confidence: float


class FrameTimings(Reply):
    """Where the time went, in milliseconds."""

    decode_ms: float
    wait_ms: float
    """For threads to decode and scale it, and for the detector's turn."""
    inference_ms: float
    """From the detector's turn to its answer, with pictures that shared the call."""
    overlay_ms: float | None
    """Drawing and encoding; null unless it was asked for."""
    total_ms: float
    """From the last byte of the picture to this answer."""


class FrameAnalysis(Reply):
    """What is on a picture."""

    model_config = example(
        objects=[{"box": [412.5, 120.0, 590.2, 664.8], "label": "person", "confidence": 0.91}],
        frame={"width": 1280, "height": 720},
        timings={"decodeMs": 2.6, "waitMs": 0.4, "inferenceMs": 26.1, "overlayMs": None, "totalMs": 29.6},
        model="people",
        runtime="openvino",
        overlay=None,
    )

    objects: list[FoundObject]
    """Most confident first."""
    frame: FrameSize
    """The picture as it is upright, which is what EXIF may say of it."""
    timings: FrameTimings
    model: str
    runtime: str
    overlay: str | None
    """The picture with boxes drawn on it: a JPEG in base64; null unless it was asked for."""


def add_routes(app: web.Application, frames: Frames) -> None:
    """Look at what is sent: a form with `file`, or the file itself as the body. Fields may be in the query, too."""

    async def analyze(request: web.Request) -> web.Response:
        with frames.place():
            file, fields = await frames.receive(request)
            began_s = time.monotonic()
            asked = read_values(
                {**{name: request.query.getall(name) for name in request.query}, **fields}, FrameQuery, "field"
            )
            as_picture = _wants_picture(request)
            wanted = Wanted(asked.profile, asked.classes, asked.confidence)

            async def looked() -> tuple[Look, bytes | None, float]:
                look = await frames.look(file, wanted)
                drawing_s = time.monotonic()
                drawn = await frames.drawn(look) if as_picture or asked.overlay else None
                return look, drawn, time.monotonic() - drawing_s

            look, drawn, draw_s = await while_connected(request, looked())
            if as_picture:
                return web.Response(body=drawn, content_type=MEDIA_TYPE)
            return reply(_analysis(look, drawn, draw_s, time.monotonic() - began_s))

    declare(
        app,
        Route(
            "POST",
            "/analyze/frame",
            analyze,
            "Look at a picture",
            TAG,
            Role.OPERATOR,
            (
                Answer(
                    200,
                    "What is on it; the picture itself with boxes drawn on it, where `Accept` asks for a JPEG.",
                    FrameAnalysis,
                    media_types=(MEDIA_TYPE,),
                ),
            ),
            # Its fields may come in the form, too, where they are checked together.
            query=FrameQuery,
            body=RawBody(PICTURE_TYPES, SAMPLE, FrameForm),
            errors=("model_unavailable", "overloaded"),
            description="A form with `file`, or the picture itself as the body: JPEG, PNG or WebP of at most 8.3 "
            "megapixels and 25 MB, turned as its EXIF says. Nothing of it is kept.",
        ),
    )


def _wants_picture(request: web.Request) -> bool:
    """True when `Accept` names a JPEG, or any picture, before JSON."""
    for each in request.headers.get(hdrs.ACCEPT, "").split(","):
        media_type = each.partition(";")[0].strip().lower()
        if media_type in (MEDIA_TYPE, "image/*"):
            return True
        if media_type in ("application/json", "application/*", "*/*"):
            return False
    return False


def _analysis(look: Look, drawn: bytes | None, draw_s: float, total_s: float) -> FrameAnalysis:
    found, labels = look.detections, look.info.labels
    return FrameAnalysis(
        objects=[
            FoundObject(
                box=tuple(round(edge, 1) for edge in box),
                label=labels[class_id],
                confidence=round(confidence, 3),
            )
            for box, class_id, confidence in zip(
                found.xyxy.tolist(), found.class_id.tolist(), found.confidence.tolist(), strict=True
            )
        ],
        frame=FrameSize(width=look.frame.width, height=look.frame.height),
        timings=FrameTimings(
            decode_ms=_ms(look.decode_s),
            wait_ms=_ms(look.wait_s),
            inference_ms=_ms(look.infer_s),
            overlay_ms=None if drawn is None else _ms(draw_s),
            total_ms=_ms(total_s),
        ),
        model=look.info.name,
        runtime=look.info.runtime,
        overlay=None if drawn is None else base64.b64encode(drawn).decode(),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
