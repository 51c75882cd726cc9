"""Query strings as models: an unknown, repeated or malformed parameter is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from tracks.errors import InvalidRequest
from tracks.events import Model

from ..envelope import invalid

Q = TypeVar("Q", bound=BaseModel)

MAX_PAGE = 1000


def _flag(given: object) -> object:
    if given not in ("true", "false", True, False):
        raise ValueError(f"expected true or false, got {str(given)[:40]!r}")
    return given in ("true", True)


Flag = Annotated[bool, BeforeValidator(_flag)]
"""`true` or `false`, and no other word for it."""
Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,36}$", examples=["019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10"])]
"""Of a source, a session, an event, an artifact: a UUIDv7, as long as such a string may be."""
Cursor = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{0,36}$", examples=["019ab3f2-7c1e-7d44-9d52-6f0c8f1b2a10"])]
"""Where a page begins: the `next` of the one before."""
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE)]
"""Entries of a page."""
UnixSeconds = Annotated[float, Field(gt=-1e12, lt=1e12, allow_inf_nan=False, examples=[1763791200.0])]


class PageQuery(Model):
    """Which page of a listing."""

    after: Cursor = ""
    """The `next` of the page before; without it the listing begins."""
    limit: Limit = 100
    """Entries of a page."""


class OrderedPageQuery(PageQuery):
    """Which page of a listing, from which end."""

    order: Literal["oldest", "newest"] = "oldest"
    """What comes first."""


def read_query(request: web.Request, model: type[Q]) -> Q:
    """The request's query as `model`; a parameter may be repeated where its field is a list. Raises InvalidRequest."""
    return read_values({name: request.query.getall(name) for name in request.query}, model)


def read_values(given: Mapping[str, Sequence[str]], model: type[Q], noun: str = "parameter") -> Q:
    """Texts by their names, each with all its values, as `model`. Raises InvalidRequest, as `read_query`."""
    known = {info.alias or name: info for name, info in model.model_fields.items()}
    values: dict[str, str | list[str]] = {}
    for name, every in given.items():
        if name not in known:
            raise InvalidRequest(f"unknown {noun} {name[:40]!r}, have: {', '.join(sorted(known)) or 'none'}")
        if _is_list(known[name].annotation):
            values[name] = list(every)
        elif len(every) > 1:
            raise InvalidRequest(f"{name} was given {len(every)} times")
        else:
            values[name] = every[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, model) from None


def _is_list(annotation: Any) -> bool:
    """True for a list, and for one that may be left out."""
    return get_origin(annotation) is list or any(_is_list(each) for each in get_args(annotation))
