"""From a choice in the settings to a running recogniser, whatever the machine can give.

Order: what was chosen (a registry name, a hub name, a path); for `auto` the newest model that the hub gave earlier;
then pocketsphinx, whose model is always there. What runs in the place of something else says so in its `info`, in the
log and to `report`. Sound is sent to another machine only where that was chosen by name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..detect.weights import WeightsRefused
from ..errors import ModelUnavailable, NotFound, VedetteError
from ..registry import RECOGNISERS, ModelSpec, Registry, resolve
from ..types import SAMPLE_RATE, Utterance
from . import Asr, Hints
from .hub import NAME, URL, WhisperHub
from .options import Endpoint, Options, Report

WARM_UP_LEVEL = 0.05
"""RMS of the noise that a recogniser is tried on."""

logger = logging.getLogger(__name__)

Load = Callable[[ModelSpec, Options], Asr]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A recogniser that may be loaded, and why."""

    spec: Callable[[], ModelSpec]
    """Raises ModelUnavailable when it cannot be had."""
    why: str


def load_recogniser(
    choice: str,
    *,
    registry: Registry,
    data_dir: Path,
    report: Report,
    force_cpu: bool = False,
    threads: int = 0,
    endpoint: Endpoint | None = None,
    fallback: bool = True,
    fetch: bool = True,
    hub_url: str = URL,
) -> Asr:
    """The recogniser for `choice`: `auto`, a registry name, a hub name such as `Systran/faster-whisper-base`, or the
    path of a folder with a CTranslate2 model. Without `fetch` only what is here already.

    Blocking, for seconds to minutes; call on the thread that will run it. `endpoint` is for recognisers elsewhere.
    Raises NotFound for a choice that is no name, and ModelUnavailable when nothing could be loaded, or, without
    `fallback`, when the choice itself could not.
    """
    lost: list[str] = []
    hub = WhisperHub(data_dir / "models" / "asr", hub_url)
    for candidate in _candidates(choice, registry, hub, report, fetch=fetch):
        try:
            spec = candidate.spec()
        except ModelUnavailable as error:
            _tell(choice, candidate, error, report)
            if not fallback:
                raise
            lost.append(error.message)
            continue
        for device, device_why in _devices(spec, force_cpu):
            why = "; ".join((candidate.why, *device_why, *(f"instead, because {each}" for each in lost)))
            options = Options(device, threads, endpoint, reason=why, fallback=bool(lost))
            try:
                load: Load = resolve(RECOGNISERS[spec.engine])
                return _warm(load(spec, options))
            except VedetteError as error:
                _tell(choice, candidate, error, report)
                if not fallback:
                    raise
                lost.append(error.message)
                if isinstance(error, WeightsRefused):
                    break
    raise ModelUnavailable(f"no recogniser could be loaded for {choice!r}: {'; '.join(lost)}")


def _warm(asr: Asr) -> Asr:
    """Run once, so that the first utterance does not pay for what is set up then; a device that cannot run fails here.

    Not what is elsewhere: it may start later than this server does.
    """
    if asr.info.engine == "openai":
        return asr
    noise = np.random.default_rng(0).normal(0, WARM_UP_LEVEL, SAMPLE_RATE).astype(np.float32)
    try:
        asr.transcribe(Utterance(noise, 0.0, 1.0), Hints(temperature=0.0))
    except Exception as error:  # missing libraries of a GPU are found now, and raise RuntimeError
        asr.close()
        if isinstance(error, VedetteError):
            raise
        raise ModelUnavailable(f"{asr.info.name} does not run on {asr.info.device}: {error}") from error
    return asr


def _tell(choice: str, candidate: _Candidate, error: VedetteError, report: Report) -> None:
    logger.warning("recogniser %s: %s", choice, error.message)
    report(f"{candidate.why}, but: {error.message}")


def _devices(spec: ModelSpec, force_cpu: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where it may run, best first, each with why."""
    if spec.engine == "faster-whisper":
        import ctranslate2

        if ctranslate2.get_cuda_device_count() > 0:
            if not force_cpu:
                yield "cuda", ("there is an NVIDIA GPU",)
            else:
                yield "cpu", ("the CPU is forced",)
                return
    yield "cpu", ()


def _candidates(
    choice: str, registry: Registry, hub: WhisperHub, report: Report, *, fetch: bool
) -> Iterator[_Candidate]:
    """What to try for a choice, in order; pocketsphinx is always last."""
    bundled = registry.bundled_recogniser
    chosen = registry.models.get(choice)
    path = Path(choice).expanduser()
    if choice == "auto":
        for name in hub.fetched():
            yield _from_hub(_named(name, registry), hub, report, "the newest model fetched earlier", fetch=False)
    elif chosen is not None:
        spec = registry.model(choice, "asr")
        if spec.engine == "faster-whisper" and spec.hub is not None:
            yield _from_hub(spec, hub, report, f"{choice} was chosen", fetch=fetch and spec.fetch)
        else:
            yield _Candidate(lambda: spec, f"{choice} was chosen")
    elif path.is_absolute() or path.exists() or choice.startswith("."):
        found = ModelSpec(path.name, "asr", file=path.absolute(), engine="faster-whisper")
        yield _Candidate(lambda: found, f"{choice} was chosen")
    elif NAME.fullmatch(choice):
        # A hub name in the settings is a person's word that it may be fetched.
        yield _from_hub(_named(choice, registry), hub, report, f"{choice} was chosen", fetch=fetch)
    else:
        have = sorted(each.name for each in registry.models.values() if each.task == "asr")
        raise NotFound(
            f"unknown recogniser {choice!r}, have: auto, {', '.join(have)}, a hub name such as "
            "Systran/faster-whisper-base, or a path"
        )
    if chosen != bundled:
        yield _Candidate(lambda: bundled, "pocketsphinx is always there")


def _named(hub_name: str, registry: Registry) -> ModelSpec:
    """The registry's entry for a hub name, or one made up of the name."""
    for spec in registry.models.values():
        if spec.engine == "faster-whisper" and spec.hub == hub_name:
            return spec
    return ModelSpec(hub_name.partition("/")[2], "asr", hub=hub_name, engine="faster-whisper")


def _from_hub(spec: ModelSpec, hub: WhisperHub, report: Report, why: str, *, fetch: bool) -> _Candidate:
    def fetched() -> ModelSpec:
        assert spec.hub is not None
        folder, first = hub.get(spec.hub, report, fetch=fetch)
        return replace(spec, file=folder, sha256=spec.sha256 or first)

    return _Candidate(fetched, why)
