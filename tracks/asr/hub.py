"""Whisper models fetched by name from Hugging Face's hub: into the data directory, and trusted on first use.

Only what a person named is ever fetched. Nothing is written elsewhere, and no token of the user's is sent along.
"""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError

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
        found = [(self._place(name) / "model.bin", name) for name in self._known()]
        present = [(path.stat().st_mtime, name) for path, name in found if path.is_file()]
        return [name for _, name in sorted(present, reverse=True)]

    def get(self, name: str, report: Report, *, fetch: bool) -> tuple[Path, str]:
        """The model's folder and the sha256 that its model.bin must have, fetched first if need be and `fetch` allows.

        Blocking, as long as it takes. Raises ModelUnavailable when it cannot be had, WeightsRefused when what came is
        not what came the first time.
        """
        if not NAME.fullmatch(name):
            raise ModelUnavailable(f"{name!r} is no name of the hub, expected one such as Systran/faster-whisper-base")
        folder = self._place(name)
        if name not in self._known() or not (folder / "model.bin").is_file():
            if not fetch:
                raise ModelUnavailable(f"{name} is not in {self.folder} and the registry does not allow fetching it")
            report(f"fetching {name} from {self._url} (once)")
            self._fetch(name, folder)
        return complete(folder), self._known()[name]

    def _fetch(self, name: str, folder: Path) -> None:
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
            )
        except RepositoryNotFoundError as error:
            raise ModelUnavailable(f"{self._url} has no {name}") from error
        except Exception as error:  # whatever a hub answers reaches code that trusts it
            raise ModelUnavailable(f"{name} cannot be fetched from {self._url}: {error.__cause__ or error}") from error
        complete(folder)
        actual = digest(folder / "model.bin")
        known = self._known().get(name)
        if known not in (None, actual):
            raise WeightsRefused(f"{name} from {self._url} has sha256 {actual}, the first time it was {known}")
        sums = {**self._known(), name: actual}
        target = self.folder / f".{_SUMS}"
        target.write_text("".join(f"{value}  {key}\n" for key, value in sorted(sums.items())), "utf-8")
        target.replace(self.folder / _SUMS)

    def _known(self) -> dict[str, str]:
        """sha256 of model.bin by name, each as it was when first used."""
        try:
            lines = (self.folder / _SUMS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines)
        return {match[2]: match[1] for match in found if match and NAME.fullmatch(match[2])}

    def _place(self, name: str) -> Path:
        return self.folder / name.replace("/", "--")
