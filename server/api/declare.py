"""Declared routes on aiohttp's router: what is sent is validated, and who may send it can be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from tracks.errors import NotFound

from ..middleware import read_json
from ..roles import Role
from .query import read_query
from .route import Handler, JsonBody, Route

M = TypeVar("M", bound=BaseModel)

_ID = re.compile(r"[0-9A-Za-z-]{1,36}")
_DECLARED: web.AppKey[dict[web.AbstractRoute, Route]] = web.AppKey("declared")
FORM = "multipart/form-data"
_GIVEN = web.RequestKey("given", dict[type[BaseModel], BaseModel])


def declare(app: web.Application, *routes: Route) -> None:
    """Put the routes on the application's router. `GET` answers `HEAD`, too."""
    for route in routes:
        resource = app.router.add_resource(route.path)
        handler = _validating(route)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            declare_resource(app, resource.add_route(method, handler), route)


def declare_resource(app: web.Application, on_router: web.AbstractRoute, route: Route) -> None:
    """Declare a route that is on the router already, or comes there by itself."""
    if _DECLARED not in app:
        app[_DECLARED] = {}
    app[_DECLARED][on_router] = route


def declared(app: web.Application) -> Mapping[web.AbstractRoute, Route]:
    """Every declared route of the application, by the router's own, in their order."""
    found = app.get(_DECLARED)
    return MappingProxyType(found or {})


def role_of(request: web.Request) -> Role | None:
    """The lowest role that the matched route needs; None: everybody may.

    Everybody may have the router's own 404 and 405, since nothing is behind them. Raises LookupError for a route that
    was never declared: it must not be served.
    """
    if request.match_info.http_exception is not None:
        return None
    route = declared(request.match_info.current_app).get(request.match_info.route)
    if route is None:
        raise LookupError(f"{request.method} {request.match_info.route.resource!r} is not declared")
    return route.role


def given(request: web.Request, model: type[M]) -> M:
    """What the client sent as the route's body or query, validated. Raises LookupError when it declares no such."""
    found = request.get(_GIVEN, {}).get(model)
    if not isinstance(found, model):
        raise LookupError(f"{request.method} {request.path} declares no {model.__name__}")
    return found


def _validating(route: Route) -> Handler:
    """The handler, behind the checks of what it declares."""

    async def handle(request: web.Request) -> web.StreamResponse:
        for name in route.parameters:
            if name.endswith("_id") and not _ID.fullmatch(request.match_info[name]):
                # Nothing has such an id; databases refuse some of them (NUL, too long).
                raise NotFound(f"no {name.removesuffix('_id')} {request.match_info[name][:40]!r}")
        found: dict[type[BaseModel], BaseModel] = {}
        if route.query is not None:
            found[route.query] = read_query(request, route.query)
        if isinstance(route.body, JsonBody) and not (route.body.form and request.content_type == FORM):
            model = route.body.model
            absent = route.body.optional and not request.can_read_body
            found[model] = model() if absent else await read_json(request, model)
        request[_GIVEN] = found
        return await route.handler(request)

    return handle
