"""Answers made of models."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from pydantic import BaseModel

from tracks.events import Model


class Reply(Model):
    """A value that is answered. Its fields have no defaults, so each is always there."""


def reply(
    model: BaseModel,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    exclude_unset: bool = False,
) -> web.Response:
    """The model as JSON; with `exclude_unset`, without the fields that nobody set."""
    body = model.model_dump_json(by_alias=True, exclude_unset=exclude_unset).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")
