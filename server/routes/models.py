"""`/models`: which detectors and recognisers there are, and which ones run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from tracks.asr import AsrInfo
from tracks.registry import Profile, Registry

from ..api import Answer, Reply, Route, declare, example, reply
from ..engines import Engines
from ..health import describe
from ..inventory import Entry, Place
from ..recognisers import Recognisers
from ..roles import Role
from ..shelf import look
from .health import DetectorReply

TAG = "models"


class ModelInfo(Reply):
    """A detector or a recogniser that can be chosen by name."""

    name: str
    task: str
    """`detect` or `asr`."""
    place: Place
    """`not here` can be fetched; a file that is `missing` cannot; `elsewhere` is another server's."""
    bytes: int | None
    """On the disk; null when it is not here."""
    sha256: str | None
    """What it must have; null while nobody knows."""
    licence: str
    hub: str | None
    """Its name where it is fetched from."""
    engine: str | None
    """Of recognisers: what runs it."""


class ProfileInfo(Reply):
    """How a session watches."""

    name: str
    detector: str
    """A model's name, or `auto`."""
    input_size: int
    """Pixels of the input's longer side; 0: the model's own."""
    confidence: float
    """Boxes below it are not shown and make no events."""
    overlay: str
    max_rate_hz: float
    """Detections per second; 0: no limit."""
    force_cpu: bool


class RecogniserReply(Reply):
    """A recogniser that is loaded."""

    name: str
    engine: str
    device: str
    """cpu, cuda, or the host of another server."""
    compute: str
    """Of what the weights are while they run; empty when nobody says."""
    languages: list[str]
    """ISO 639-1; empty: not known, any may be asked for."""
    reason: str
    """Why this one runs."""
    fallback: bool
    """It is not the one that was asked for."""


class AutoReply(Reply):
    """What the choice `auto` means now."""

    detector: str
    recogniser: str


class KnownModels(Reply):
    """The registry, and what of it runs."""

    model_config = example(
        models=[
            {
                "name": "people",
                "task": "detect",
                "place": "bundled",
                "bytes": 5242880,
                "sha256": "ddd4b680f03fd2dfad7bf20461bba68d106a42526d194c06700a98e007436bfc",
                "licence": "AGPL-3.0",
                "hub": None,
                "engine": None,
            }
        ],
        profiles=[
            {
                "name": "fast",
                "detector": "auto",
                "inputSize": 416,
                "confidence": 0.35,
                "overlay": "smooth",
                "maxRateHz": 15.0,
                "forceCpu": False,
            }
        ],
        auto={"detector": "people", "recogniser": "pocketsphinx"},
        detectors=[],
        recognisers=[],
    )

    models: list[ModelInfo]
    profiles: list[ProfileInfo]
    auto: AutoReply
    detectors: list[DetectorReply]
    """Those that are loaded."""
    recognisers: list[RecogniserReply]
    """Those that are loaded."""


def add_routes(
    app: web.Application, registry: Registry, folder: Path, engines: Engines, recognisers: Recognisers
) -> None:
    """List the models; fetched ones are in `folder`."""

    async def index(request: web.Request) -> web.Response:
        found = await asyncio.to_thread(look, registry, folder)
        return reply(
            KnownModels(
                models=[_model(each) for each in found.models],
                profiles=[_profile(each) for each in found.profiles],
                auto=AutoReply(detector=found.auto_detector.name, recogniser=found.auto_recogniser.name),
                detectors=[DetectorReply.model_validate(describe(each)) for each in engines.infos()],
                recognisers=[_recogniser(each) for each in recognisers.infos()],
            )
        )

    declare(
        app,
        Route(
            "GET",
            "/models",
            index,
            "List the models",
            TAG,
            Role.VIEWER,
            (Answer(200, "Models, profiles, and what of them is loaded.", KnownModels),),
        ),
    )


def _model(entry: Entry) -> ModelInfo:
    """Without its path: folders of this machine are nobody's business."""
    return ModelInfo(
        name=entry.name,
        task=entry.task,
        place=entry.place,
        bytes=entry.size_bytes,
        sha256=entry.sha256,
        licence=entry.licence,
        hub=entry.hub,
        engine=entry.engine or None,
    )


def _profile(profile: Profile) -> ProfileInfo:
    return ProfileInfo(**{name: getattr(profile, name) for name in ProfileInfo.model_fields})


def _recogniser(info: AsrInfo) -> RecogniserReply:
    values = {name: getattr(info, name) for name in RecogniserReply.model_fields}
    return RecogniserReply(**{**values, "languages": list(info.languages)})
