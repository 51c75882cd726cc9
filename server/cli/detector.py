"""What `doctor` says of looking: which GPU, which profile, and the detector, loaded and tried as the server does it."""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from pathlib import Path

from tracks.detect.hub import NAME, Hub
from tracks.detect.runtime import has_gpu
from tracks.errors import VedetteError
from tracks.registry import Profile, Registry

from ..engines import Engines
from ..health import Check, CheckResult, Status, describe
from ..inventory import find, inventory
from ..settings import Settings
from .trial import try_worker
from .words import describe_detector

NVIDIA = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""What an NVIDIA driver makes, on Linux and under WSL."""


def gpu_check(settings: Settings) -> Check:
    """Whether there is a GPU to detect on; degraded when there is one that the installed torch cannot use."""

    def look() -> CheckResult:
        if has_gpu():
            kind = "Apple's (MPS)" if platform.system() == "Darwin" else "NVIDIA (CUDA)"
            left = ", left alone, since the CPU is forced" if settings.force_cpu else ""
            return CheckResult("ok", {"text": f"{kind}{left}", "gpu": True})
        if any(path.exists() for path in NVIDIA) and not settings.force_cpu:
            text = f"there is an NVIDIA driver, but torch {version('torch')} finds no GPU to run on"
            remedy = "a build of torch with CUDA: `make clean`, then `make run TORCH_INDEX=default`"
            return CheckResult("degraded", {"text": text, "remedy": remedy, "gpu": False})
        return CheckResult("ok", {"text": "none that models could run on; the CPU does it", "gpu": False})

    return Check("gpu", lambda: asyncio.to_thread(look))


def profile_check(settings: Settings) -> Check:
    """What the profile means here."""

    def look() -> CheckResult:
        profile = _engines(settings, Registry.load(*settings.registry_files)).profile(settings.profile)
        said = f"auto means {profile.name} here" if settings.profile == "auto" else profile.name
        rate = (
            f"at most {profile.max_rate_hz:g} detections/s" if profile.max_rate_hz else "as many detections as it can"
        )
        text = f"{said}: {profile.overlay} overlay, {rate}, boxes from {profile.confidence:.0%} on"
        return CheckResult("ok", {"text": text, "profile": profile.name, "overlay": profile.overlay})

    return Check("profile", lambda: asyncio.to_thread(look))


def detector_check(settings: Settings, *, writable: bool) -> Check:
    """The detector that sessions get, loaded and timed; degraded when it stands in for another, or was not tried."""

    async def run() -> CheckResult:
        if not writable:
            text = "not tried: it is prepared in the data directory, which cannot be written"
            return CheckResult("degraded", {"text": text})
        registry = await asyncio.to_thread(Registry.load, *settings.registry_files)
        engines = _engines(settings, registry)
        profile = await asyncio.to_thread(engines.profile, settings.profile)
        if name := await asyncio.to_thread(_to_be_fetched, settings, profile, registry):
            text = f"not tried: {name} is not here, and the server would fetch it at its start"
            return CheckResult("degraded", {"text": text, "remedy": f"vedette models pull {name}"})
        try:
            trial = await try_worker(engines.worker(profile))
        except VedetteError as error:
            remedy = "`vedette models list` says which there are, `vedette models verify --load` which work"
            return CheckResult("failed", {"text": error.message, "remedy": remedy, "code": error.code})
        finally:
            await engines.close()
        info, (height, width) = trial.info, trial.input_size
        text = (
            f"{describe_detector(info)}\n{info.reason}\n"
            f"loaded in {trial.load_s:.1f} s; {trial.median_ms:.1f} ms a picture of {width}x{height} "
            f"(median of {len(trial.each_ms)}, {min(trial.each_ms):.1f} to {max(trial.each_ms):.1f}); "
            f"in a photograph of 4 people and a bus it found {trial.words}"
        )
        detail = {"loadS": round(trial.load_s, 2), "inferenceMs": [round(each, 1) for each in trial.each_ms]}
        help = {"remedy": "`vedette models verify` says which models are as they should be"} if info.fallback else {}
        status: Status = "degraded" if info.fallback else "ok"
        return CheckResult(status, {"text": text, **help, **describe(info), **detail, "found": dict(trial.found)})

    return Check("detector", run)


def _engines(settings: Settings, registry: Registry) -> Engines:
    return Engines(
        registry,
        detector=settings.detector,
        data_dir=settings.data_dir,
        force_cpu=settings.force_cpu,
        threads=settings.detector_threads,
        max_rate_hz=settings.detector_max_rate_hz,
    )


def _to_be_fetched(settings: Settings, profile: Profile, registry: Registry) -> str:
    """What the server would have to fetch first: `doctor` looks, it does not download."""
    choice = settings.detector if settings.detector != "auto" else profile.detector
    spec = registry.models.get(choice)
    hub = Hub(settings.data_dir / "models")
    if spec is not None and spec.hub is not None and spec.fetch:
        return "" if find(choice, inventory(registry, hub)).here else choice
    if spec is None and NAME.fullmatch(choice):
        return "" if (hub.folder / choice).is_file() else choice
    return ""
