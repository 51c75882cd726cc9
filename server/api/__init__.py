"""The REST contract: every route is declared once, and router, checks, OpenAPI and documentation follow from that."""

from __future__ import annotations

from .answers import Reply, reply
from .declare import declare, declare_resource, declared, given, role_of
from .route import Answer, File, Form, JsonBody, NoQuery, RawBody, Route, example

__all__ = [
    "Answer",
    "File",
    "Form",
    "JsonBody",
    "NoQuery",
    "RawBody",
    "Reply",
    "Route",
    "declare",
    "declare_resource",
    "declared",
    "example",
    "given",
    "reply",
    "role_of",
]
