"""What of a session can be changed while it runs: the body of `PATCH /sessions/{id}`, the arguments of `set`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from tracks.events import Model

from . import store


class Watching(Model):
    """How a session watches; what is left out stays as it is, and takes effect at the next frame."""

    profile: str | None = Field(default=None, max_length=200)
    """Brings its own overlay unless that is named, too."""
    overlay: Literal["smooth", "exact"] | None = None
    classes: list[str] | None = Field(default=None, max_length=1000)
    """Labels to keep; null keeps all."""


class SessionChange(Watching):
    """How a session runs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"profile": "accurate", "classes": ["person"]}]})

    paused: bool | None = None
    """While it is paused media still flows, but nothing is looked at, listened to or stored."""


def in_force(row: store.Session) -> dict[str, Any]:
    """How a session watches, as replies and events tell it."""
    return {
        "profile": row.profile,
        "overlay": row.overlay,
        "classes": None if row.classes is None else list(row.classes),
    }
