"""Fetching a model because a person said so, with a bar that shows how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from tracks.asr import hub as whisper
from tracks.asr.weights import complete
from tracks.detect.hub import NAME, URL, Hub, Progress
from tracks.detect.weights import verified
from tracks.errors import InvalidRequest, ModelUnavailable, NotFound
from tracks.registry import ModelSpec, Registry

from ..inventory import size_on_disk

TOTAL_S = 3600.0
"""How long a file of ultralytics' releases may take: a person watches it, and can stop it."""
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here, with the right hash."""

    path: Path
    """A file, or a folder."""
    sha256: str
    """Of the file, or of the folder's model.bin."""
    compared: str
    """What the hash was compared with, in words."""
    was_here: bool
    option: str
    """What to choose it by, as an option of `vedette serve`."""

    @property
    def size_bytes(self) -> int:
        """Of all of it."""
        return size_on_disk(self.path) or 0


def fetch(name: str, registry: Registry, folder: Path, source: str | None, errors: Console) -> Pulled:
    """Fetch `name`, of the registry or of a hub, into `folder`, unless it is there; from `source` instead of the hub.

    Blocking. Raises NotFound, InvalidRequest for a model that no hub has, and ModelUnavailable when it cannot be
    fetched or is not what it should be.
    """
    hub_name, spec = _at_hub(name, registry)
    if whisper.NAME.fullmatch(hub_name):
        return _fetch_recogniser(hub_name, spec, folder / "asr", source, errors)
    return _fetch_detector(hub_name, spec, folder, source, errors)


def _fetch_detector(
    file_name: str, spec: ModelSpec | None, folder: Path, source: str | None, errors: Console
) -> Pulled:
    hub = Hub(folder, URL if source is None else f"{source.rstrip('/')}/", total_s=TOTAL_S)
    was_here = (folder / file_name).is_file()
    expected = spec.sha256 if spec is not None else None
    known = hub.known().get(file_name)
    with _bar(file_name, errors) as show:
        path, first = hub.get(file_name, errors.print, fetch=True, sha256=expected, progress=show)
    weights = verified(path, path.stem, expected or first)
    choice = spec.name if spec is not None else file_name
    return Pulled(path, weights.sha256, _compared(expected, known), was_here, f"--detector {choice}")


def _fetch_recogniser(name: str, spec: ModelSpec | None, folder: Path, source: str | None, errors: Console) -> Pulled:
    url = (source or whisper.URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise ModelUnavailable(f"{parts.scheme}://{parts.hostname} is not fetched from, only https")
    hub = whisper.WhisperHub(folder, url)
    known = hub.known().get(name)
    was_here = known is not None and (hub.place(name) / "model.bin").is_file()
    expected = spec.sha256 if spec is not None else None
    with _bar(name, errors) as show:
        path, first = hub.get(name, errors.print, fetch=True, progress=show)
    complete(path, expected or first)
    choice = spec.name if spec is not None else name
    return Pulled(path, expected or first, _compared(expected, known), was_here, f"--asr {choice}")


@contextmanager
def _bar(what: str, errors: Console) -> Iterator[Progress]:
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    with Bar(TextColumn("{task.description}"), *columns, console=errors) as bar:
        # Added with the first block: before it there is nothing to draw, and nothing at all for a file that is here.
        tasks: list[TaskID] = []

        def show(done_bytes: int, total_bytes: int | None) -> None:
            if not tasks:
                tasks.append(bar.add_task(what, total=total_bytes))
            bar.update(tasks[0], completed=done_bytes, total=total_bytes)

        yield show


def _compared(expected: str | None, known: str | None) -> str:
    if expected:
        return "as the registry says"
    return "the same as at its first use" if known else "noted; from now on it must stay the same"


def _at_hub(name: str, registry: Registry) -> tuple[str, ModelSpec | None]:
    """The model's name at its hub, and what the registry says of it."""
    specs = [each for each in registry.models.values() if each.engine != "openai"]
    spec = registry.models.get(name) or next((each for each in specs if each.hub == name), None)
    if spec is not None and spec.engine == "openai":
        raise InvalidRequest(f"{name} runs elsewhere, at OPENAI_BASE_URL: there is nothing to fetch")
    if spec is not None and spec.hub is None:
        where = spec.file or f"in the package {spec.engine}"
        raise InvalidRequest(f"{name} is no model of the hub: there is nothing to fetch, it is {where}")
    if spec is not None and spec.hub is not None:
        return spec.hub, spec
    if not NAME.fullmatch(name) and not whisper.NAME.fullmatch(name):
        have = ", ".join(each.name for each in specs if each.hub is not None)
        such = "yolo26n.pt or Systran/faster-whisper-base"
        raise NotFound(f"unknown model {name!r}, have: {have}, or a name of a hub such as {such}")
    return name, None
