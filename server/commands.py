"""The commands that clients give a session, over data channels and `/ws/stream` alike: one row in `COMMANDS` each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tracks.errors import InvalidRequest
from tracks.events import Model

from .artifacts import SnapshotOptions
from .changes import SessionChange, Watching
from .envelope import invalid
from .roles import Role

if TYPE_CHECKING:
    from .session import LiveSession

STOP_AFTER_S = 0.1
"""So that the reply leaves before the connection closes."""


class NoArgs(Model):
    """Nothing to say."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a client may have done."""

    args: type[Model]
    do: Callable[[LiveSession, Any], Awaitable[dict[str, Any]]]
    """Given the session and the arguments; returns the result. Raises VedetteError."""
    role: Role = Role.OPERATOR
    """Who may give it."""


async def run(session: LiveSession, name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a client commands. Raises InvalidRequest for an unknown command or wrong arguments, or what it raises."""
    command = COMMANDS.get(name)
    if command is None:
        raise InvalidRequest(f"unknown command {name[:40]!r}, have: {', '.join(sorted(COMMANDS))}")
    try:
        given = command.args.model_validate(args)
    except ValidationError as error:
        raise invalid(error, command.args) from None
    return await command.do(session, given)


def role_of(name: str) -> Role:
    """Who may give this command; what does not exist is told to everybody."""
    return COMMANDS[name].role if name in COMMANDS else Role.VIEWER


async def _snapshot(session: LiveSession, options: SnapshotOptions) -> dict[str, Any]:
    artifact = await session.snapshot(annotated=options.annotated)
    return {"artifactId": artifact.id, "url": artifact.url}


async def _set(session: LiveSession, watching: Watching) -> dict[str, Any]:
    return await session.change(SessionChange.model_validate(watching.model_dump(exclude_unset=True)))


async def _pause(session: LiveSession, _: NoArgs) -> dict[str, Any]:
    await session.change(SessionChange(paused=True))
    return {"state": session.state}


async def _resume(session: LiveSession, _: NoArgs) -> dict[str, Any]:
    await session.change(SessionChange(paused=False))
    return {"state": session.state}


async def _stop(session: LiveSession, _: NoArgs) -> dict[str, Any]:
    asyncio.get_running_loop().call_later(STOP_AFTER_S, session.end_soon, "stopped by a client")
    return {"state": "ended"}


COMMANDS: Mapping[str, Command] = {
    "pause": Command(NoArgs, _pause),
    "resume": Command(NoArgs, _resume),
    "set": Command(Watching, _set),
    "set_profile": Command(Watching, _set),
    "snapshot": Command(SnapshotOptions, _snapshot),
    "stop": Command(NoArgs, _stop),
}
