"""Whisper models fetched by name from Hugging Face's hub: into the data directory, and trusted on first use.

Only what a person named is ever fetched. Nothing is written elsewhere, and no token of the user's is sent along.
"""

from __future__ import annotations

import re
from pathlib import Path
from threading import Lock
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.utils.tqdm import tqdm

from ..detect.hub import Progress
from ..detect.weights import WeightsRefused, digest
from ..errors import ModelUnavailable
from .options import Report
from .weights import complete

URL = "https://huggingface.co"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""`owner/repository`."""
FILES = ("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.*")
"""What of a repository is a model; nothing else is fetched."""
_SUMS = "SHA256SUMS"


class WhisperHub:
    """The fetched models in `folder`, one folder each."""

    def __init__(self, folder: Path, url: str = URL) -> None:
        self.folder = folder
        self._url = url

    def fetched(self) -> list[str]:
        """Names of the models fetched earlier, newest first."""
        found = [(self.place(name) / "model.bin", name) for name in self.known()]
        present = [(path.stat().st_mtime, name) for path, name in found if path.is_file()]
        return [name for _, name in sorted(present, reverse=True)]

    def get(self, name: str, report: Report, *, fetch: bool, progress: Progress | None = None) -> tuple[Path, str]:
        """The model's folder and the sha256 that its model.bin must have, fetched first if need be and `fetch` allows.

        Blocking, as long as it takes. Raises ModelUnavailable when it cannot be had, WeightsRefused when what came is
        not what came the first time.
        """
        if not NAME.fullmatch(name):
            raise ModelUnavailable(f"{name!r} is no name of the hub, expected one such as Systran/faster-whisper-base")
        folder = self.place(name)
        if name not in self.known() or not (folder / "model.bin").is_file():
            if not fetch:
                raise ModelUnavailable(f"{name} is not in {self.folder} and the registry does not allow fetching it")
            report(f"fetching {name} from {self._url} (once)")
            self._fetch(name, folder, progress)
        return complete(folder), self.known()[name]

    def _fetch(self, name: str, folder: Path, progress: Progress | None) -> None:
        constants.HF_HUB_DISABLE_XET = True  # its transfers keep a cache of chunks in the user's home
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            snapshot_download(
                name,
                local_dir=folder,
                cache_dir=folder / ".cache",  # it notes the revision there, in the user's home otherwise
                allow_patterns=list(FILES),
                token=False,
                endpoint=self._url,
                tqdm_class=_telling(progress),
            )
        except RepositoryNotFoundError as error:
            raise ModelUnavailable(f"{self._url} has no {name}") from error
        except Exception as error:  # whatever a hub answers reaches code that trusts it
            raise ModelUnavailable(f"{name} cannot be fetched from {self._url}: {error.__cause__ or error}") from error
        complete(folder)
        actual = digest(folder / "model.bin")
        known = self.known().get(name)
        if known not in (None, actual):
            raise WeightsRefused(f"{name} from {self._url} has sha256 {actual}, the first time it was {known}")
        sums = {**self.known(), name: actual}
        target = self.folder / f".{_SUMS}"
        target.write_text("".join(f"{value}  {key}\n" for key, value in sorted(sums.items())), "utf-8")
        target.replace(self.folder / _SUMS)

    def known(self) -> dict[str, str]:
        """sha256 of model.bin by name, each as it was when first used."""
        try:
            lines = (self.folder / _SUMS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines)
        return {match[2]: match[1] for match in found if match and NAME.fullmatch(match[2])}

    def place(self, name: str) -> Path:
        """The model's folder, whether it is there or not."""
        return self.folder / name.replace("/", "--")


def _telling(progress: Progress | None) -> type[tqdm]:
    """A bar for huggingface_hub that draws nothing and tells `progress` of the bytes that are here."""
    lock = Lock()

    class Telling(tqdm):
        def __init__(self, *args: Any, **given: Any) -> None:
            # One bar counts bytes on the disk, others bytes of the network and files.
            self.told = progress if given.get("name") == "huggingface_hub.snapshot_download" else None
            self.here = 0
            super().__init__(*args, **{**given, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            """Several threads fetch, a file each."""
            if self.told is not None:
                with lock:
                    self.here += int(n or 0)
                    self.told(self.here, self.total or None)

    return Telling
