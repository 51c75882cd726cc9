"""What a client says in its handshake: the protocol that it speaks, and what it wants to attach to."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web
from pydantic import Field

from signaling.messages import PROTOCOL
from tracks.errors import InvalidRequest
from tracks.events import Model

from ..access import BEARER_PROTOCOL
from ..api.query import Id


class StreamQuery(Model):
    """What to attach to, as a first `attach` would say it."""

    session_id: Id | None = None
    after: int = Field(default=0, ge=0, lt=2**53)
    """Stored events above this seq come first."""
    kinds: str | None = Field(default=None, max_length=400, examples=["detection,transcript"])
    """Kinds of events to be sent, with commas between; all, unless given."""


def check_protocol(request: web.Request) -> None:
    """Raise InvalidRequest for a client that speaks other protocols only; one that names none is taken at its word.

    Before the handshake: aiohttp would log what the client offered, and a token may be among it.
    """
    offered = _offered(request)
    if offered and PROTOCOL not in offered:
        others = [name for name in offered if not name.startswith(BEARER_PROTOCOL)]
        raise InvalidRequest(f"expected the subprotocol {PROTOCOL!r}, got {', '.join(others)[:100] or 'none'}")


def first_attach(query: StreamQuery) -> dict[str, Any] | None:
    """The message that the query equals; None without `sessionId`. Raises InvalidRequest for the rest without it."""
    message = query.model_dump(by_alias=True, exclude_unset=True)
    if "sessionId" not in message:
        if message:
            raise InvalidRequest(f"{', '.join(message)}: of which session? sessionId is missing")
        return None
    if "kinds" in message:
        message["kinds"] = [kind for kind in message["kinds"].split(",") if kind]
    return {"type": "attach", **message}


def _offered(request: web.Request) -> list[str]:
    lines = request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]
