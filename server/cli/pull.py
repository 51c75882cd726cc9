"""Fetching a model because a person said so, with a bar that shows how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from tracks.detect.hub import NAME, URL, Hub
from tracks.detect.weights import verified
from tracks.errors import InvalidRequest, NotFound
from tracks.registry import ModelSpec, Registry

TOTAL_S = 3600.0
"""How long it may take: a person watches it, and can stop it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here, with the right hash."""

    path: Path
    sha256: str
    compared: str
    """What the hash was compared with, in words."""
    was_here: bool
    choice: str
    """What to choose it by."""


def fetch(name: str, registry: Registry, folder: Path, source: str | None, errors: Console) -> Pulled:
    """Fetch `name`, of the registry or of the hub, into `folder`, unless it is there; from `source` instead of the hub.

    Blocking. Raises NotFound, InvalidRequest for a model that no hub has, and ModelUnavailable when it cannot be
    fetched or is not what it should be.
    """
    file_name, spec = _at_hub(name, registry)
    hub = Hub(folder, URL if source is None else f"{source.rstrip('/')}/", total_s=TOTAL_S)
    was_here = (folder / file_name).is_file()
    expected = spec.sha256 if spec is not None else None
    known = hub.known().get(file_name)
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with Progress(TextColumn("{task.description}"), *columns, console=errors) as bar:
        # Added with the first block: before it there is nothing to draw, and nothing at all for a file that is here.
        tasks: list[TaskID] = []

        def show(done_bytes: int, total_bytes: int | None) -> None:
            if not tasks:
                tasks.append(bar.add_task(file_name, total=total_bytes))
            bar.update(tasks[0], completed=done_bytes)

        path, first = hub.get(file_name, errors.print, fetch=True, sha256=expected, progress=show)
    weights = verified(path, path.stem, expected or first)
    if expected:
        compared = "as the registry says"
    elif known:
        compared = "the same as at its first use"
    else:
        compared = "noted; from now on it must stay the same"
    return Pulled(path, weights.sha256, compared, was_here, spec.name if spec is not None else file_name)


def _at_hub(name: str, registry: Registry) -> tuple[str, ModelSpec | None]:
    """The model's file name at the hub, and what the registry says of it."""
    spec = registry.models.get(name) or next((each for each in registry.models.values() if each.hub == name), None)
    if spec is not None and spec.hub is None:
        raise InvalidRequest(f"{name} is no model of the hub: there is nothing to fetch, it is {spec.file}")
    if spec is not None and spec.hub is not None:
        return spec.hub, spec
    if not NAME.fullmatch(name):
        have = ", ".join(each.name for each in registry.models.values() if each.hub is not None)
        raise NotFound(f"unknown model {name!r}, have: {have}, or a name of the hub such as yolo26n.pt")
    return name, None
