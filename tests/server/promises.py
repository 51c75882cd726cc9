"""Holds a server to what its routes declare: every answer of every test is compared with it."""

from __future__ import annotations

import json

from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.api import Route, declared
from server.api.failure import ErrorEnvelope
from server.middleware import CLIENT_LEFT
from tracks.errors import CODES


class Promises:
    """Notes what an application answers otherwise than it declares."""

    def __init__(self, app: web.Application) -> None:
        self.broken: list[str] = []
        self._app = app
        app.on_response_prepare.append(self._look)

    async def _look(self, request: web.Request, response: web.StreamResponse) -> None:
        route = declared(self._app).get(request.match_info.route)
        if route is None or route.hidden or request.method == "HEAD" or response.status == CLIENT_LEFT:
            return
        problem = _problem(route, response)
        if problem:
            self.broken.append(f"{request.method} {request.path} {response.status}: {problem}")


def _problem(route: Route, response: web.StreamResponse) -> str:
    answers = [answer for answer in route.answers if answer.status == response.status]
    is_json = response.content_type == "application/json" and isinstance(response, web.Response)
    if not answers:
        codes = {code for code in route.codes if CODES[code] == response.status}
        if not codes:
            return f"neither an answer nor an error of the route, which has {', '.join(route.codes)}"
        if not is_json:
            return f"an error in {response.content_type}"
        found = _misfit(route.failure or ErrorEnvelope, response)
        code = json.loads(_body(response))["error"]["code"]
        return found or ("" if code in codes or route.failure else f"code {code} is not declared")
    (answer,) = answers
    if answer.model is None or not is_json:
        types = (*answer.media_types, *(() if answer.model is None else ("application/json",)))
        body = response.content_length != 0 and response.status not in (101, 204, 304)
        return "" if not body or response.content_type in types else f"{response.content_type}, declared: {types}"
    return _misfit(answer.model, response)


def _misfit(model: type[BaseModel], response: web.StreamResponse) -> str:
    try:
        model.model_validate_json(_body(response))
    except ValidationError as error:
        return f"not a {model.__name__}: {error}"
    return ""


def _body(response: web.StreamResponse) -> bytes:
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.body
