"""The OpenAPI 3.1 document of an application, made of what its routes declare (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from tracks.errors import CODES

from .curl import curl_of
from .failure import MEANINGS, ErrorEnvelope
from .route import Answer, Form, JsonBody, RawBody, Route, camel
from .schemas import Components, Schema, parameters_of
from .tags import TAGS

OPENAPI = "3.1.1"
JSON = "application/json"
DESCRIPTION = """\
Vedette watches cameras and listens to them. Everything that its page does is done with these calls.

JSON is camelCase, times are seconds, ids are UUIDv7 strings. Listings are paged: `next` of one page is `after` of the
next, and null at the end. Every error is `{"error": {"code", "message", "details"?}}`; programs look at `code`, which
is stable. Every answer has an `X-Request-Id`, taken over from the request where it has one. `GET` routes answer
`HEAD`, too.

Where the server is bound to loopback and asks for no tokens, none is needed. Elsewhere a token is sent as
`Authorization: Bearer TOKEN`; browsers sign in and have a cookie. Each route says the lowest role that may use it.
"""


def document(routes: Iterable[Route], version: str, cookie: str = "vedette") -> dict[str, Any]:
    """The document, JSON-ready. Routes that are hidden are left out; `cookie` is the name of a browser's sign-in."""
    shown = [route for route in dict.fromkeys(routes) if not route.hidden]
    components = Components(_sent(shown), _got(shown))
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for route in shown:
        paths[route.plain_path][route.method.lower()] = _operation(route, components)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Vedette",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": says} for name, says in TAGS.items() if _is_used(name, shown)],
        "paths": dict(paths),
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "examples": {code: _error_example(code) for code in CODES},
            "headers": {"X-Request-Id": {"description": "Names the request in the log.", "schema": {"type": "string"}}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of `vedette token`."},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": "What a browser has after signing in.",
                },
            },
        },
    }


def _sent(routes: Sequence[Route]) -> list[type[BaseModel]]:
    models: list[type[BaseModel]] = []
    for route in routes:
        if isinstance(route.body, JsonBody | Form):
            models.append(route.body.model)
        if isinstance(route.body, JsonBody | RawBody) and route.body.form is not None:
            models.append(route.body.form)
    return models


def _got(routes: Sequence[Route]) -> list[type[BaseModel]]:
    answered = [answer.model for route in routes for answer in route.answers if answer.model is not None]
    failures = [route.failure for route in routes if route.failure is not None]
    return [ErrorEnvelope, *answered, *failures]


def _is_used(tag: str, routes: Sequence[Route]) -> bool:
    return any(route.tag == tag for route in routes)


def _operation(route: Route, components: Components) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
    }
    if route.description:
        operation["description"] = route.description
    parameters = [
        {
            "name": camel(name),
            "in": "path",
            "required": True,
            "schema": {"type": "string", "examples": [route.samples.get(name, "019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10")]},
        }
        for name in route.parameters
    ]
    parameters += parameters_of(route.query) if route.query is not None else []
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _request_body(route.body, components)
    operation["responses"] = _responses(route, components)
    operation["security"] = [] if route.role is None else [{"bearer": []}, {"cookie": []}]
    operation["x-role"] = None if route.role is None else route.role.word
    operation["x-codeSamples"] = [
        {"lang": "shell", "label": "curl", "source": curl_of(route, _sample(route, components))}
    ]
    return operation


def _operation_id(route: Route) -> str:
    """`GET /sessions/{session_id}/events` is `getSessionsBySessionIdEvents`."""
    parts = re.findall(r"\{\w+\}|\w+", route.plain_path)
    named = (f"By{part[1].upper()}{part[2:-1]}" if part[0] == "{" else part[0].upper() + part[1:] for part in parts)
    return route.method.lower() + "".join(named)


def _sample(route: Route, components: Components) -> Any:
    if not isinstance(route.body, JsonBody):
        return None
    return next(iter(components.examples(route.body.model)), None)


def _request_body(body: JsonBody | Form | RawBody, components: Components) -> dict[str, Any]:
    if isinstance(body, JsonBody):
        content: dict[str, Any] = {JSON: _content(body.model, components)}
        if body.form is not None:
            content["multipart/form-data"] = _content(body.form, components)
        return {"required": not body.optional, "content": content}
    if isinstance(body, Form):
        return {"required": True, "content": {"multipart/form-data": _content(body.model, components)}}
    content = {}
    if body.form is not None:
        content["multipart/form-data"] = _content(body.form, components)
    content.update({media_type: {} for media_type in body.media_types})
    return {"required": True, "content": content}


def _content(model: type[BaseModel], components: Components) -> dict[str, Any]:
    return {"schema": components.ref(model)}


def _responses(route: Route, components: Components) -> dict[str, Any]:
    responses = {str(answer.status): _response(answer, components) for answer in route.answers}
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in route.codes:
        by_status[CODES[code]].append(code)
    for status, codes in sorted(by_status.items()):
        refused = _refusal(codes, route, components)
        known = responses.setdefault(str(status), refused)
        if known is not refused:  # an answer with this status is either
            known["description"] += f" Or an error: {refused['description']}"
            schemas = [known["content"][JSON]["schema"], refused["content"][JSON]["schema"]]
            known["content"][JSON] = {"schema": {"anyOf": schemas}, "examples": refused["content"][JSON]["examples"]}
    return dict(sorted(responses.items()))


def _response(answer: Answer, components: Components) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.says, "headers": _headers(answer.headers)}
    content: dict[str, Any] = {}
    if answer.model is not None:
        content[JSON] = _content(answer.model, components)
    for media_type in answer.media_types:
        content[media_type] = {"schema": {"type": "string"}} if media_type.startswith("text/") else {}
    if content:
        response["content"] = content
    return response


def _refusal(codes: Sequence[str], route: Route, components: Components) -> dict[str, Any]:
    content: dict[str, Any] = _content(route.failure or ErrorEnvelope, components)
    if route.failure is None:
        content["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    says = " ".join(f"`{code}`: {MEANINGS[code].says}" for code in codes)
    return {"description": says, "headers": _headers({}), "content": {JSON: content}}


def _headers(named: Mapping[str, str]) -> dict[str, Any]:
    headers: dict[str, Any] = {
        name: {"description": says, "schema": {"type": "string"}} for name, says in named.items()
    }
    return {**headers, "X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}


def _error_example(code: str) -> Schema:
    return {
        "summary": MEANINGS[code].says,
        "value": {"error": {"code": code, "message": MEANINGS[code].example}},
    }
