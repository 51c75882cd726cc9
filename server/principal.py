"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from .roles import Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may do something."""

    id: str
    """The token's: the same for every request that is made with it, or with a browser that signed in with it."""
    role: Role
    name: str
    """The token's."""


LOCAL = Principal("local", Role.ADMIN, "")
"""Somebody on this machine, where no token is needed."""
PRINCIPAL = web.RequestKey("principal", Principal)


def principal_of(request: web.Request) -> Principal:
    """Who makes this request. Raises LookupError on a route that is for everybody, where nobody was asked."""
    return request[PRINCIPAL]
