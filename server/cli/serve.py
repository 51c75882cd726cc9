"""`vedette serve`."""

from __future__ import annotations

import typer

from .options import accepts_settings, read_settings


@accepts_settings()
def serve(**given: str | bool | None) -> None:
    """Start the server; Ctrl-C stops it.

    Options win over environment variables, and those over a file .env. README.md lists all settings.
    """
    settings = read_settings(given)
    from .run import run

    raise typer.Exit(run(settings))
