"""`/models`: which detectors and recognisers there are, and which ones run; another one, and all of them anew."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, model_validator

from tracks.asr import AsrInfo
from tracks.errors import InvalidRequest
from tracks.events import Model
from tracks.registry import Profile

from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..health import describe
from ..inventory import Entry, Place
from ..roles import Role
from ..shelf import Shelf
from .health import DetectorReply

TAG = "models"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_EXAMPLE = {
    "name": "people",
    "task": "detect",
    "place": "bundled",
    "bytes": 5242880,
    "sha256": "ddd4b680f03fd2dfad7bf20461bba68d106a42526d194c06700a98e007436bfc",
    "licence": "AGPL-3.0",
    "hub": None,
    "engine": None,
}


class ModelInfo(Reply):
    """A detector or a recogniser that can be chosen by name."""

    model_config = example(**_EXAMPLE)

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


class NewModel(Model):
    """A model as the registry has it: a file, or a name of a hub."""

    model_config = example(task="detect", hub="yolo26n.pt", fetch=False, inputSize=640, licence="AGPL-3.0")

    task: Literal["detect", "asr"]
    file: str | None = Field(default=None, max_length=500, pattern=r"^[^/\\\x00-\x1f][^\\\x00-\x1f]*$")
    """In the folder `models` of the data directory, and with a `sha256`."""
    hub: str | None = Field(default=None, max_length=200)
    """An ultralytics asset such as `yolo26n.pt`; for faster-whisper a repository; for openai the name there."""
    fetch: bool = False
    """Whether the hub may be asked for it when it is chosen."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    runtime: Literal["auto", "cuda", "mps", "openvino", "onnxruntime", "torch"] = "auto"
    input_size: int = Field(default=640, ge=32, le=4096)
    """Pixels of the input's longer side, unless the model's shape is fixed."""
    licence: str = Field(default="unknown", max_length=200)
    labels: list[Annotated[str, Field(max_length=200)]] | None = Field(default=None, max_length=10_000)
    """Names of its classes, where the file has none."""
    url: str | None = Field(default=None, max_length=500)
    """Where people can read about it."""
    engine: Literal["faster-whisper", "pocketsphinx", "openai"] | None = None
    """Of recognisers, and needed there."""
    language: str | None = Field(default=None, max_length=10)
    """Of recognisers: what is spoken, in ISO 639-1; without it the engine finds out."""
    compute: str | None = Field(default=None, max_length=20)
    prompt: str | None = Field(default=None, max_length=4000)
    hotwords: str | None = Field(default=None, max_length=4000)

    @model_validator(mode="after")
    def _hash_of_a_file(self) -> NewModel:
        if self.file is not None and self.sha256 is None:
            raise ValueError("sha256 is missing: a file is loaded only with the hash that it must have")
        return self


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
        models=[_EXAMPLE],
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


class KeptReply(Reply):
    """A session that goes on with the detector that it had."""

    session_id: str
    message: str
    """Why."""


class ReloadReply(Reply):
    """What runs now."""

    model_config = example(detectors=[], recognisers=[], kept=[])

    detectors: list[DetectorReply]
    recognisers: list[RecogniserReply]
    kept: list[KeptReply]
    """Sessions that could not take the new detector, say because it has none of their classes."""


def add_routes(app: web.Application, shelf: Shelf) -> None:
    """List the models, change one, load them anew."""

    async def put(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not NAME.fullmatch(name) or name == "auto":
            raise InvalidRequest(f"{name[:40]!r} is no name for a model, expected letters, digits, dots and dashes")
        values = given(request, NewModel).model_dump(exclude_none=True)
        entry, made = await shelf.put(name, values)
        return reply(_model(entry), 201 if made else 200)

    async def reload(request: web.Request) -> web.Response:
        kept = await shelf.reload()
        return reply(
            ReloadReply(
                detectors=detectors(),
                recognisers=recognisers(),
                kept=[KeptReply(session_id=session_id, message=why) for session_id, why in kept.items()],
            )
        )

    def detectors() -> list[DetectorReply]:
        return [DetectorReply.model_validate(describe(each)) for each in shelf.engines.infos()]

    def recognisers() -> list[RecogniserReply]:
        return [_recogniser(each) for each in shelf.recognisers.infos()]

    async def index(request: web.Request) -> web.Response:
        found = await shelf.look()
        return reply(
            KnownModels(
                models=[_model(each) for each in found.models],
                profiles=[_profile(each) for each in found.profiles],
                auto=AutoReply(detector=found.auto_detector.name, recogniser=found.auto_recogniser.name),
                detectors=detectors(),
                recognisers=recognisers(),
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
        Route(
            "PUT",
            "/models/{name}",
            put,
            "Have a model in the registry",
            TAG,
            Role.ADMIN,
            (Answer(200, "It is there, in the place of another.", ModelInfo), Answer(201, "It is there.", ModelInfo)),
            body=JsonBody(NewModel),
            errors=("model_unavailable", "storage_full"),
            samples={"name": "yolo26n"},
            description="Kept in the data directory, above the registry that ships and that of `VEDETTE_MODELS`. Where "
            "a model of that name runs, it is loaded anew: new sessions take it, running ones at their next frame. "
            "When it cannot be loaded nothing changes.",
        ),
        Route(
            "POST",
            "/models/reload",
            reload,
            "Load the models anew",
            TAG,
            Role.ADMIN,
            (Answer(200, "What runs now.", ReloadReply),),
            errors=("model_unavailable",),
            description="Reads the registry again, and the files. New sessions take what is loaded then, running ones "
            "at their next frame; those that listen keep their recogniser. When something cannot be loaded nothing "
            "changes.",
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
