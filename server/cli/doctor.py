"""`vedette doctor`: whether a server could run here, what it would run with and why, and what to do about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import accepts_settings, load_settings

if TYPE_CHECKING:
    from .findings import Findings


@accepts_settings(
    *("host", "port", "insecure_bind", "tls_cert", "tls_key", "auth"),
    *("data_dir", "profile", "detector", "asr", "models", "web_dir", "force_cpu"),
)
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False, **given: str | bool | None
) -> None:
    """Check whether a server could run here, with what, and why.

    Says what is missing, and what to do about it.

    It makes the data directory and prepares the detector there, as the first start would; it fetches nothing.
    Exit status 0 when a server could run, 1 otherwise.
    """
    from ..settings import SettingsError
    from . import screen
    from .findings import examine
    from .report import as_json, show

    settings, problem = None, ""
    try:
        settings = load_settings(given)
    except SettingsError as error:
        problem = str(error)
    errors = screen.console(errors=True)
    with errors.status("trying detector and recogniser; the first time takes up to a minute"):
        findings: Findings = examine(settings, problem)
    if json:
        screen.print_json(as_json(findings))
    else:
        show(findings, screen.console())
    raise typer.Exit(0 if findings.could_run else 1)
