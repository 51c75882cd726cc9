"""`vedette models`: which there are, fetching one, and whether those that are here are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracks.errors import ModelUnavailable, Overloaded

from .options import Given, accepts_settings, read_settings

if TYPE_CHECKING:
    from tracks.asr.hub import WhisperHub
    from tracks.detect.hub import Hub
    from tracks.registry import Registry

    from ..settings import Settings

SHORT = 12
"""How many digits of a hash are shown."""

models = typer.Typer(no_args_is_help=True, help="List, fetch and check the models.")


@models.command("list")
@accepts_settings("data_dir", "models")
def list_models(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False, **given: str | bool | None
) -> None:
    """Show the models of the registry and those fetched besides, and which ones `auto` means."""
    settings, registry, hub, whisper = _opened(given)
    from ..inventory import automatic, inventory
    from ..inventory_asr import automatic_recogniser, recognisers
    from . import screen
    from .words import size_of

    entries = [*inventory(registry, hub), *recognisers(registry, whisper)]
    auto, auto_asr = automatic(registry, hub), automatic_recogniser(registry, whisper)
    if json:
        document = {
            "models": [entry.as_json() for entry in entries],
            "auto": {"name": auto.name, "reason": auto.why},
            "detector": settings.detector,
            "autoRecogniser": {"name": auto_asr.name, "reason": auto_asr.why},
            "recogniser": settings.asr,
        }
        screen.print_json(document)
        return
    console = screen.console()
    table = screen.grid("NAME", "TASK", "WHERE", "SIZE", "SHA256", "LICENCE", "")
    for entry in entries:
        size = "" if entry.size_bytes is None else size_of(entry.size_bytes)
        mark = "<- auto" if entry.name in (auto.name, auto_asr.name) else ""
        table.add_row(entry.name, entry.task, entry.place, size, (entry.sha256 or "")[:SHORT], entry.licence, mark)
    console.print(table)
    console.print(f"\nauto means, to detect, {auto.name}: {auto.why}.")
    console.print(f"auto means, to hear, {auto_asr.name}: {auto_asr.why}.")
    for variable, choice in (("VEDETTE_DETECTOR", settings.detector), ("VEDETTE_ASR", settings.asr)):
        if choice != "auto":
            console.print(f"The settings name another: {variable}={choice}.")
    if any(entry.place == "not here" for entry in entries):
        console.print("What is not here: `vedette models pull NAME` fetches it.")


@models.command()
@accepts_settings("data_dir", "models")
def pull(
    name: Annotated[
        str, typer.Argument(help="A name of the registry or of a hub: yolo26n.pt, Systran/faster-whisper-base.")
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="A mirror of the hub: https, or http on this machine."),
    ] = None,
    **given: str | bool | None,
) -> None:
    """Fetch a model into the data directory: from ultralytics' releases, or a Whisper model from Hugging Face's hub.

    It must have the registry's hash; where that names none, the first fetch's, which is kept.
    """
    settings, registry, *_ = _opened(given)
    from . import screen
    from .pull import fetch
    from .words import size_of

    errors = screen.console(errors=True)
    pulled = fetch(name, registry, settings.data_dir / "models", source, errors)
    console = screen.console()
    console.print(f"{pulled.path.name} {'is already here' if pulled.was_here else 'is here now'}:")
    console.print(f"  file    {pulled.path} ({size_of(pulled.size_bytes)})")
    console.print(f"  sha256  {pulled.sha256}")
    console.print(f"          {pulled.compared}")
    console.print(f"  use it  vedette serve {pulled.option}")


@models.command()
@accepts_settings("data_dir", "models", "force_cpu")
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; without it, all that are here.")] = None,
    load: Annotated[
        bool, typer.Option("--load", help="Load each, too: detect on a photograph, or hear some words.")
    ] = False,
    **given: str | bool | None,
) -> None:
    """Compare the models that are here with their hashes; exit status 1 when one is not what it should be."""
    settings, registry, hub, whisper = _opened(given)
    from rich.padding import Padding

    from ..inventory import find, inventory
    from ..inventory_asr import recognisers
    from . import screen
    from .verify import check, try_loading

    entries = [*inventory(registry, hub), *recognisers(registry, whisper)]
    present = [each for each in entries if each.place not in ("not here", "elsewhere")]
    chosen = present if name is None else [find(name, entries)]
    console, errors, wrong = screen.console(), screen.console(errors=True), []
    for entry in chosen:
        try:
            said = check(entry)
            tried = try_loading(entry, settings, registry, errors) if load else ""
            console.print(f"ok     {entry.name}: {said}")
            if tried:
                console.print(Padding(tried, (0, 0, 0, len("ok     "))))
        except (ModelUnavailable, Overloaded) as error:
            wrong.append(entry.name)
            console.print(f"wrong  {entry.name}: {error.message}", style="red")
    if wrong:
        raise ModelUnavailable(f"{len(wrong)} of {len(chosen)} cannot be used: {', '.join(wrong)}")


def _opened(given: Given) -> tuple[Settings, Registry, Hub, WhisperHub]:
    settings = read_settings(given)
    from tracks.asr.hub import WhisperHub
    from tracks.detect.hub import Hub
    from tracks.registry import Registry

    folder = settings.data_dir / "models"
    return settings, Registry.load(*settings.registry_files), Hub(folder), WhisperHub(folder / "asr")
