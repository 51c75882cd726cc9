"""What `doctor` says of hearing: the recogniser, loaded and tried as the server does it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tracks.asr.hub import NAME, WhisperHub
from tracks.errors import VedetteError
from tracks.registry import Registry

from ..health import Check, CheckResult
from ..inventory_asr import recognisers
from ..recognisers import Recognisers, endpoint_of
from ..settings import Settings
from .trial_asr import try_worker
from .words import describe_recogniser


def recogniser_check(settings: Settings) -> Check:
    """The recogniser that sessions get, which has heard the self-test's words.

    Degraded when it stands in for another, heard nothing, was not tried, or there is none: a server runs without.
    """

    async def run() -> CheckResult:
        registry = await asyncio.to_thread(Registry.load, *settings.registry_files)
        if name := await asyncio.to_thread(_to_be_fetched, settings, registry):
            text = f"not tried: {name} is not here, and the server would fetch it at its start"
            return CheckResult("degraded", {"text": text, "remedy": f"vedette models pull {name}"})
        loaded = Recognisers(
            registry,
            choice=settings.asr,
            data_dir=settings.data_dir,
            force_cpu=settings.force_cpu,
            threads=settings.asr_threads,
            endpoint=endpoint_of(settings),
        )
        try:
            tried = await try_worker(loaded.worker())
        except VedetteError as error:
            remedy = "`vedette models list` says which there are, `vedette models verify --load` which work"
            return CheckResult("degraded", {"text": error.message, "remedy": remedy, "code": error.code})
        finally:
            await loaded.close()
        info = tried.info
        text = f"{describe_recogniser(info)}\n{info.reason}\n{tried.did}"
        detail = {
            "model": info.name,
            "engine": info.engine,
            "device": info.device,
            "languages": list(info.languages),
            "reason": info.reason,
            "fallback": info.fallback,
            "loadS": round(tried.load_s, 2),
            "heard": tried.heard,
            "tookS": round(tried.took_s, 2),
        }
        well = tried.heard and not info.fallback
        help = {} if well else {"remedy": "`vedette models verify --load` says which recognisers work"}
        return CheckResult("ok" if well else "degraded", {"text": text, **help, **detail})

    return Check("recogniser", run)


def _to_be_fetched(settings: Settings, registry: Registry) -> str:
    """What the server would have to fetch first: `doctor` looks, it does not download."""
    hub = WhisperHub(settings.data_dir / "models" / "asr")
    for entry in recognisers(registry, hub):
        if settings.asr in (entry.name, entry.hub):
            return entry.name if entry.place == "not here" else ""
    is_path = settings.asr.startswith(".") or Path(settings.asr).expanduser().exists()
    return settings.asr if NAME.fullmatch(settings.asr) and not is_path else ""
