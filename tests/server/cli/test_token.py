"""`vedette token`: what it prints, what it keeps, and how it refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import get_args, get_type_hints

from server.cli import token as module
from server.cli.run import first_token
from server.datadir import DataDir
from server.roles import Role
from server.settings import Settings
from server.tokens import Tokens, digest_of
from tests.server.cli.terminal import Run, told


def test_a_token_is_printed_once_and_alone(run: Run) -> None:
    """On stdout there is nothing else, for scripts; the list does not show it; a server may be running."""
    with DataDir(Path("data")):
        made = run("token", "create", "--name", "kitchen", "--role", "operator")
        listed = run("token", "list")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert made.stdout == f"{secret}\n"
    assert made.stderr == "the token of kitchen, operator; it is not shown again\n"
    book = Tokens(Path("data")).read()
    known = book.token_of(digest_of(secret))
    assert known is not None
    assert (known.name, known.role) == ("kitchen", Role.OPERATOR)
    assert "kitchen operator" in told(listed)
    assert known.id in listed.output
    assert secret not in listed.output
    assert known.sha256[:8] not in listed.output
    assert stat.S_IMODE(Path("data/tokens.json").stat().st_mode) == 0o600


def test_without_a_role_it_may_only_look(run: Run) -> None:
    """Whoever wants more says so; the choices are the roles that there are."""
    run("token", "create", "--name", "screen")
    assert Tokens(Path("data")).read().tokens[0].role is Role.VIEWER
    hint = get_type_hints(module.create)["role"]
    assert get_args(hint) == tuple(role.word for role in Role)


def test_the_list_for_programs_has_no_secrets(run: Run) -> None:
    """Names, roles, ids and times; an empty one says how to begin."""
    assert "There are no tokens. `vedette token create" in run("token", "list").output
    assert json.loads(run("token", "list", "--json").output) == {"tokens": []}
    run("token", "create", "--name", "a", "--role", "admin")
    (entry,) = json.loads(run("token", "list", "--json").output)["tokens"]
    assert set(entry) == {"id", "name", "role", "createdAt"}
    assert (entry["name"], entry["role"]) == ("a", "admin")


def test_a_token_is_taken_back_by_name_or_id(run: Run) -> None:
    """It is gone from the file; one that is not there is not_found, with those that are."""
    for name in ("a", "b"):
        run("token", "create", "--name", name)
    (first, _) = Tokens(Path("data")).read().tokens
    assert run("token", "revoke", first.id).output == "the token of a, viewer, is worth nothing any more\n"
    assert run("token", "revoke", "b").exit_code == 0
    assert Tokens(Path("data")).read().tokens == ()
    result = run("token", "revoke", "b")
    assert result.exit_code == 1
    assert result.stderr == "not_found: no token 'b', have: none\n"


def test_wrong_names_and_roles_are_refused(run: Run) -> None:
    """A taken name is a conflict, a wrong one invalid_request, an unknown role wrong usage."""
    run("token", "create", "--name", "a")
    assert run("token", "create", "--name", "a").stderr.startswith("conflict: there is a token 'a' already")
    assert run("token", "create", "--name", "a/b").stderr.startswith("invalid_request: 'a/b' is no name for a token")
    result = run("token", "create", "--name", "b", "--role", "owner")
    assert result.exit_code == 2
    assert "'viewer', 'operator', 'admin'" in result.stderr


def test_a_damaged_file_is_told(run: Run) -> None:
    """And not overwritten."""
    Path("data").mkdir()
    Path("data/tokens.json").write_text("{")
    for command in (("list",), ("create", "--name", "a"), ("revoke", "a")):
        result = run("token", *command)
        assert result.exit_code == 1
        assert "tokens.json is damaged" in result.stderr
    assert Path("data/tokens.json").read_text() == "{"


async def test_the_first_start_that_needs_a_token_makes_one(tmp_path: Path) -> None:
    """An admin's, once; a start that needs none makes none."""
    assert await first_token(Settings(data_dir=tmp_path)) is None
    assert Tokens(tmp_path).read().tokens == ()
    secret = await first_token(Settings(data_dir=tmp_path, auth="always"))
    assert secret is not None
    made = Tokens(tmp_path).read().token_of(digest_of(secret))
    assert made is not None
    assert made.role is Role.ADMIN
    assert await first_token(Settings(data_dir=tmp_path, host="0.0.0.0")) is None
