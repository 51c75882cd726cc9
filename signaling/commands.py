"""Commands of clients, whatever carries them: done by the session, but for what `set` changes of one connection."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from tracks.errors import InvalidRequest, VedetteError
from tracks.events import Model

from . import messages
from .messages import Command, Kinds, Pictures

logger = logging.getLogger(__name__)

SET = frozenset({"set", "set_profile"})
"""The names of the command that changes how a session is watched."""


class Wishes(Model):
    """What `set` changes of a connection; every other argument is the session's."""

    kinds: Kinds = None


class StreamWishes(Wishes):
    """The same of one that is sent pictures as messages."""

    annotated: Pictures = "none"


W = TypeVar("W", bound=Wishes)
Perform = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


async def perform(
    command: Command, session: Perform, model: type[W], wish: Callable[[W], dict[str, Any]]
) -> dict[str, Any]:
    """The `reply` to a command, once it is done.

    `wish` is given what `set` says of the connection (`model_fields_set` tells what of it) once the session has taken
    the rest, and returns what is in force.
    """
    try:
        return messages.reply(command.id, await _perform(command, session, model, wish))
    except VedetteError as error:
        return messages.refusal(command.id, error)
    except Exception:  # the edge of a client's wish: it is answered, and logged
        logger.exception("command %s failed", command.name)
        return messages.refusal(command.id, VedetteError("something went wrong in the server; its log says what"))


async def _perform(
    command: Command, session: Perform, model: type[W], wish: Callable[[W], dict[str, Any]]
) -> dict[str, Any]:
    if command.name not in SET:
        return await session(command.name, command.args)
    own = {name: value for name, value in command.args.items() if name in model.model_fields}
    try:
        wishes = model.model_validate(own)
    except ValidationError as error:
        raise InvalidRequest(messages.describe(error)) from None
    result = await session("set", {name: value for name, value in command.args.items() if name not in own})
    return {**result, **wish(wishes)}
