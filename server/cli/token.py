"""`vedette token`: making, listing and taking back what lets people and programs in. Works while the server runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..roles import Role, RoleWord
from .options import Given, accepts_settings, read_settings

if TYPE_CHECKING:
    from ..tokens import Tokens


token = typer.Typer(no_args_is_help=True, help="Make, list and revoke access tokens; the server may be running.")


@token.command()
@accepts_settings("data_dir")
def create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What it is for, such as kitchen-tablet.")],
    role: Annotated[
        RoleWord,
        typer.Option(help="viewer looks and asks, operator runs sessions, admin does everything."),
    ] = "viewer",
    **given: str | bool | None,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    The token alone goes to stdout, so that a script can take it.
    """
    made, secret = _opened(given).create(name, Role[role.upper()])
    typer.echo(secret)
    typer.echo(f"the token of {made.name}, {made.role.word}; it is not shown again", err=True)


@token.command("list")
@accepts_settings("data_dir")
def list_tokens(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False, **given: str | bool | None
) -> None:
    """Show the tokens that there are, without what is secret of them."""
    found = _opened(given).read().tokens
    from . import screen

    if json:
        document = [
            {"id": each.id, "name": each.name, "role": each.role.word, "createdAt": each.created_at} for each in found
        ]
        screen.print_json({"tokens": document})
        return
    if not found:
        typer.echo("There are no tokens. `vedette token create --name NAME --role ROLE` makes one.")
        return
    table = screen.grid("NAME", "ROLE", "CREATED", "ID")
    for each in found:
        table.add_row(each.name, each.role.word, f"{datetime.fromtimestamp(each.created_at):%Y-%m-%d %H:%M}", each.id)
    screen.console().print(table)


@token.command()
@accepts_settings("data_dir")
def revoke(
    which: Annotated[str, typer.Argument(metavar="NAME", help="The token's name, or its id.")],
    **given: str | bool | None,
) -> None:
    """Take a token back: from the next request on it is worth nothing, and who signed in with it is signed out."""
    gone = _opened(given).revoke(which)
    typer.echo(f"the token of {gone.name}, {gone.role.word}, is worth nothing any more")


def _opened(given: Given) -> Tokens:
    settings = read_settings(given)
    from ..tokens import Tokens

    return Tokens(settings.data_dir)
