"""`vedette models`: which there are, fetching one, and whether those that are here are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracks.errors import ModelUnavailable

from .options import Given, accepts_settings, read_settings

if TYPE_CHECKING:
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
    """Show the models of the registry and those fetched besides, and which one `auto` means."""
    settings, registry, hub = _opened(given)
    from . import screen
    from .inventory import automatic, inventory
    from .words import size_of

    entries, auto = inventory(registry, hub), automatic(registry, hub)
    if json:
        document = {
            "models": [entry.as_json() for entry in entries],
            "auto": {"name": auto.name, "reason": auto.why},
            "detector": settings.detector,
        }
        screen.print_json(document)
        return
    console = screen.console()
    table = screen.grid("NAME", "TASK", "WHERE", "SIZE", "SHA256", "LICENCE", "")
    for entry in entries:
        size = "" if entry.size_bytes is None else size_of(entry.size_bytes)
        mark = "<- auto" if entry.name == auto.name else ""
        table.add_row(entry.name, entry.task, entry.place, size, (entry.sha256 or "")[:SHORT], entry.licence, mark)
    console.print(table)
    console.print(f"\nauto means {auto.name}: {auto.why}.")
    if settings.detector != "auto":
        console.print(f"The settings name another: VEDETTE_DETECTOR={settings.detector}.")
    if any(entry.place == "not here" for entry in entries):
        console.print(
            "What is not here: `vedette models pull NAME` fetches it; so it does any name of ultralytics' hub."
        )


@models.command()
@accepts_settings("data_dir", "models")
def pull(
    name: Annotated[str, typer.Argument(help="A name of the registry, or of the hub, such as yolo26n.pt.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="A mirror of the hub: https, or http on this machine."),
    ] = None,
    **given: str | bool | None,
) -> None:
    """Fetch a model from ultralytics' releases into the data directory.

    It must have the registry's hash; where that names none, the first fetch's, which is kept.
    """
    settings, registry, _ = _opened(given)
    from . import screen
    from .pull import fetch
    from .words import size_of

    errors = screen.console(errors=True)
    pulled = fetch(name, registry, settings.data_dir / "models", source, errors)
    console = screen.console()
    console.print(f"{pulled.path.name} {'is already here' if pulled.was_here else 'is here now'}:")
    console.print(f"  file    {pulled.path} ({size_of(pulled.path.stat().st_size)})")
    console.print(f"  sha256  {pulled.sha256}")
    console.print(f"          {pulled.compared}")
    console.print(f"  use it  vedette serve --detector {pulled.choice}")


@models.command()
@accepts_settings("data_dir", "models", "force_cpu")
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; without it, all that are here.")] = None,
    load: Annotated[bool, typer.Option("--load", help="Load each, too, and detect once on a photograph.")] = False,
    **given: str | bool | None,
) -> None:
    """Compare the models that are here with their hashes; exit status 1 when one is not what it should be."""
    settings, registry, hub = _opened(given)
    from rich.padding import Padding

    from . import screen
    from .inventory import find, inventory
    from .verify import check, try_loading

    entries = inventory(registry, hub)
    chosen = [each for each in entries if each.place != "not here"] if name is None else [find(name, entries)]
    console, errors, wrong = screen.console(), screen.console(errors=True), []
    for entry in chosen:
        try:
            said = check(entry)
            tried = try_loading(entry, settings, registry, errors) if load and entry.task == "detect" else ""
            console.print(f"ok     {entry.name}: {said}")
            if tried:
                console.print(Padding(tried, (0, 0, 0, len("ok     "))))
        except ModelUnavailable as error:
            wrong.append(entry.name)
            console.print(f"wrong  {entry.name}: {error.message}", style="red")
    if wrong:
        raise ModelUnavailable(f"{len(wrong)} of {len(chosen)} cannot be used: {', '.join(wrong)}")


def _opened(given: Given) -> tuple[Settings, Registry, Hub]:
    settings = read_settings(given)
    from tracks.detect.hub import Hub
    from tracks.registry import Registry

    return settings, Registry.load(settings.models), Hub(settings.data_dir / "models")
