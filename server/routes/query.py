"""Query strings, checked: an unknown or malformed parameter is an error that names it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from tracks.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class PageQuery:
    """`?after=&limit=&order=` of a listing."""

    after: str | None
    limit: int
    newest: bool
    """Newest first."""


def check_names(request: web.Request, known: Collection[str]) -> None:
    """Raise InvalidRequest for a parameter that the route does not have."""
    for name in request.query:
        if name not in known:
            raise InvalidRequest(f"unknown parameter {name!r}, have: {', '.join(sorted(known))}")


def page_query(request: web.Request, *, ordered: bool = False) -> PageQuery:
    """The page that is asked for; a listing that is `ordered` takes `order=newest` or `oldest`, too."""
    check_names(request, ("after", "limit", "order") if ordered else ("after", "limit"))
    order = request.query.get("order", "oldest")
    if order not in ("oldest", "newest"):
        raise InvalidRequest(f"order must be oldest or newest, not {order[:40]!r}")
    return PageQuery(request.query.get("after"), whole(request, "limit", 100), order == "newest")


def whole(request: web.Request, name: str, default: int) -> int:
    """A non-negative whole number."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequest(f"{name} must be a whole number, not {text[:40]!r}")
    return int(text)


def flag(request: web.Request, name: str) -> bool:
    """`true` or `false`, which is the default."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidRequest(f"{name} must be true or false, not {text[:40]!r}")
    return text == "true"


def seconds(request: web.Request, name: str) -> float | None:
    """Unix seconds."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be Unix seconds, not {text[:40]!r}") from None
    if not -1e12 < value < 1e12:
        raise InvalidRequest(f"{name} must be Unix seconds, not {text[:40]!r}")
    return value
