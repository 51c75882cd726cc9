"""The commands put together, and how each of them ends: 0, 1 for what went wrong, 2 for wrong usage, 130 for Ctrl-C."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tracks.errors import VedetteError

from ..version import get_version
from .doctor import doctor
from .models import models
from .serve import serve
from .token import token


class Commands(TyperGroup):
    """Ends a command that failed with `code: message` on stderr and exit status 1, without a stack."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises typer.Exit in the place of errors that were foreseen."""
        try:
            return super().invoke(ctx)
        except VedetteError as error:
            _say(error.code, error.message)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `vedette … | head`: typer ends quietly
                raise
            _say("internal", str(error))
        raise typer.Exit(1)


def _say(code: str, message: str) -> None:
    from ..logs import redact

    typer.echo(f"{code}: {redact(message)}", err=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vedette {get_version()}")
        raise typer.Exit


# Plain help: rich's would cost every start as much time again as all the rest.
app = typer.Typer(cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def vedette(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A local-first WebRTC media server: cameras come in, come back annotated, and what was seen goes out as events."""


app.command()(serve)
app.add_typer(models, name="models")
app.add_typer(token, name="token")
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, without `arguments` that of the process; returns the exit status."""
    try:
        app(args=sys.argv[1:] if arguments is None else list(arguments), prog_name="vedette")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
