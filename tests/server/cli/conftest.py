"""The command line as a person calls it, and a hub on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.cli.app import app
from tests.server.cli.terminal import Hub, Run
from tracks.registry import Registry


@pytest.fixture
def hub(weights: bytes) -> Iterator[Hub]:
    """A hub that has the bundled weights as yolo26n.pt."""
    server = Hub()
    server.files["yolo26n.pt"] = weights
    yield server
    server.close()


@pytest.fixture(scope="session")
def weights() -> bytes:
    """The bundled weights."""
    file = Registry.load().bundled_detector.file
    assert file is not None
    return file.read_bytes()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `vedette …` in an empty folder and an environment without settings."""
    for name in [name for name in os.environ if name.startswith("VEDETTE_")] + [
        *("DATABASE_URL", "FORCE_CPU", "OPENAI_BASE_URL", "OPENAI_API_KEY")
    ]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def invoke(*arguments: str | Path, **variables: str) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], env=variables, prog_name="vedette")

    return invoke
