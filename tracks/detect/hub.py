"""Weights fetched by name from ultralytics' releases, kept in the data directory and trusted on first use."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from ..errors import ModelUnavailable
from .options import Report
from .weights import WeightsRefused, digest

URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
"""Where ultralytics 8.4 takes its assets from (`utils/downloads.py`)."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\.pt")
"""A plain file name: no folder, no leading dot, no `..`."""
SILENCE_S = 5.0
"""How long the hub may say nothing, while connecting and while sending."""
TOTAL_S = 180.0
MAX_BYTES = 512 << 20
_BLOCK_BYTES = 1 << 18
_SUMS = "SHA256SUMS"

Progress = Callable[[int, int | None], None]
"""Told how many bytes of how many (None: unknown) are here; called on the fetching thread, at most every 256 KiB."""


class Hub:
    """The fetched models in `folder`."""

    def __init__(self, folder: Path, url: str = URL, *, total_s: float = TOTAL_S) -> None:
        self.folder = folder
        self._url = url
        self._total_s = total_s

    def fetched(self) -> list[Path]:
        """Models fetched earlier, newest first."""
        files = [self.folder / name for name in self.known() if (self.folder / name).is_file()]
        return sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)

    def get(
        self, name: str, report: Report, *, fetch: bool, sha256: str | None = None, progress: Progress | None = None
    ) -> tuple[Path, str]:
        """The file of that name and the sha256 it must have, fetched first if it is not here and `fetch` allows it.

        Blocking, for at most `total_s`. Raises ModelUnavailable when it cannot be had, WeightsRefused when what came is
        not what came the first time, or has not the given `sha256`; it is not kept then.
        """
        if not NAME.fullmatch(name):
            raise ModelUnavailable(f"{name!r} is no name of the hub, expected one such as 'yolo26n.pt'")
        path = self.folder / name
        if not path.is_file():
            if not fetch:
                raise ModelUnavailable(f"{name} is not in {self.folder} and the registry does not allow fetching it")
            report(f"fetching {name} from {urllib.parse.urlsplit(self._url).hostname} (once)")
            self._fetch(name, path, sha256, progress)
        try:
            return path, self._trusted(name, path)
        except OSError as error:
            raise ModelUnavailable(f"{path} cannot be used: {error.strerror}") from error

    def _trusted(self, name: str, path: Path) -> str:
        """The hash of the first use; a file that was put here by hand is first used now."""
        known = self.known().get(name)
        if known is None:
            known = digest(path)
            self._remember(name, known)
        return known

    def _fetch(self, name: str, path: Path, expected: str | None, progress: Progress | None) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            target = tempfile.NamedTemporaryFile(dir=self.folder, prefix=".fetching-")  # noqa: SIM115 - closed below
        except OSError as error:
            raise ModelUnavailable(f"{self.folder} cannot be written: {error.strerror}") from error
        with target as file:
            try:
                actual = self._download(self._url + name, Path(file.name), progress)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = getattr(error, "reason", None) or error
                raise ModelUnavailable(f"{name} cannot be fetched from {self._url}: {reason}") from error
            if expected not in (None, actual):
                raise WeightsRefused(f"{name} from {self._url} has sha256 {actual}, expected {expected}")
            known = self.known().get(name)
            if known not in (None, actual):
                raise WeightsRefused(f"{name} from {self._url} has sha256 {actual}, the first time it was {known}")
            if not zipfile.is_zipfile(file.name):  # the page of a portal that wants a login, for one
                raise WeightsRefused(f"what {self._url} gave as {name} is no PyTorch checkpoint: not kept")
            try:
                self._remember(name, actual)
                os.link(file.name, path)
            except FileExistsError:
                pass  # another process was faster; its file is checked like any other
            except OSError as error:
                raise ModelUnavailable(f"{path} cannot be written: {error.strerror}") from error

    def _download(self, url: str, path: Path, progress: Progress | None) -> str:
        """Stream a URL into a file and return its sha256. Raises OSError, HTTPException or ValueError."""
        _check_url(url)
        opener = urllib.request.build_opener(_OnlySafeRedirects())
        deadline = time.monotonic() + self._total_s
        sha256, size = hashlib.sha256(), 0
        request = urllib.request.Request(url, headers={"User-Agent": "vedette"})
        with opener.open(request, timeout=SILENCE_S) as response, path.open("wb") as file:
            length = response.headers.get("Content-Length")
            expected = int(length) if length is not None else None
            while block := response.read1(_BLOCK_BYTES):
                size += len(block)
                if size > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not done within {self._total_s:.0f} s")
                sha256.update(block)
                file.write(block)
                if progress is not None:
                    progress(size, expected)
            if expected is not None and expected != size:
                raise ValueError(f"cut off after {size} of {expected} bytes")
        return sha256.hexdigest()

    def known(self) -> dict[str, str]:
        """sha256 by file name, each as it was when first used; lines that are none are left out."""
        try:
            lines = (self.folder / _SUMS).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines)
        return {match[2]: match[1] for match in found if match and NAME.fullmatch(match[2])}

    def _remember(self, name: str, sha256: str) -> None:
        sums = {**self.known(), name: sha256}
        target = self.folder / f".{_SUMS}-{os.getpid()}"
        target.write_text("".join(f"{value}  {key}\n" for key, value in sorted(sums.items())), "utf-8")
        target.replace(self.folder / _SUMS)


class _OnlySafeRedirects(urllib.request.HTTPRedirectHandler):
    """GitHub redirects to its storage: followed, but never to plain http or to a file."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_url(newurl)
        except ValueError:
            fp.close()  # nobody else would
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_url(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise ValueError(f"{parts.scheme}://{parts.hostname} is not fetched from, only https")
