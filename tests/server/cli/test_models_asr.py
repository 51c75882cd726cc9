"""`vedette models` with recognisers: what is fetched, and what is found to be wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli import verify
from tests.server.cli.terminal import Run, told
from tests.tracks.asr.hub import Hub
from tests.tracks.asr.whisper import make_whisper
from tracks.detect.weights import digest

FOLDER = Path("data/models/asr/someone--tiny.en")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Whisper model."""
    return make_whisper(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def whisper(model: Path) -> Iterator[Hub]:
    """A hub that has it."""
    server = Hub(model)
    yield server
    server.close()


def test_pull_fetches_a_whisper_model(run: Run, whisper: Hub) -> None:
    """By its hub name, with a bar that counts all of it, once; from then on it is listed, and what `auto` means."""
    result = run("models", "pull", Hub.name, "--from", whisper.url)
    assert result.exit_code == 0, result.output
    sha256 = hashlib.sha256(whisper.files["model.bin"]).hexdigest()
    assert sha256 in result.stdout
    assert f"vedette serve --asr {Hub.name}" in told(result)
    fetched = sum(len(body) for name, body in whisper.files.items() if name != "README.md")
    assert f"{fetched / 1e3:.1f}/{fetched / 1e3:.1f} kB" in result.stderr
    asked = len(whisper.asked)
    again = run("models", "pull", Hub.name, "--from", whisper.url)
    assert "the same as at its first use" in again.stdout
    assert len(whisper.asked) == asked
    listed = json.loads(run("models", "list", "--json").output)
    assert listed["autoRecogniser"]["name"] == Hub.name
    entry = next(each for each in listed["models"] if each["name"] == Hub.name)
    assert (entry["place"], entry["sha256"]) == ("fetched", sha256)


def test_pull_by_the_registrys_name(run: Run, whisper: Hub, tmp_path: Path) -> None:
    """The operator's entry for it, whose hash it must have."""
    registry = tmp_path / "models.toml"
    entry = f'[models.tiny]\ntask = "asr"\nengine = "faster-whisper"\nhub = "{Hub.name}"\n'
    registry.write_text(entry)
    assert "--asr tiny" in told(run("models", "pull", "tiny", "--from", whisper.url, "--models", registry))
    registry.write_text(f'{entry}sha256 = "{"0" * 64}"\n')
    result = run("models", "pull", "tiny", "--from", whisper.url, "--models", registry)
    assert result.exit_code == 1
    assert f"expected {'0' * 64}" in told(result)


def test_a_fetch_that_was_not_finished_is_not_here(run: Run, whisper: Hub, tmp_path: Path) -> None:
    """Files without the hash that is noted at the end are none."""
    registry = tmp_path / "models.toml"
    registry.write_text(f'[models.tiny]\ntask = "asr"\nengine = "faster-whisper"\nhub = "{Hub.name}"\n')
    run("models", "pull", "tiny", "--from", whisper.url, "--models", registry)
    (FOLDER.parent / "SHA256SUMS").unlink()
    listed = json.loads(run("models", "list", "--json", "--models", registry).output)
    entry = next(each for each in listed["models"] if each["name"] == "tiny")
    assert (entry["place"], entry["bytes"]) == ("not here", None)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("http://hub.example", "http://hub.example is not fetched from, only https"),
        ("ftp://127.0.0.1", "ftp://127.0.0.1 is not fetched from, only https"),
        ("http://127.0.0.1:9", "Systran/faster-whisper-base cannot be fetched from http://127.0.0.1:9"),
    ],
)
def test_what_cannot_be_fetched_is_not_here(run: Run, source: str, why: str) -> None:
    """Plain http from another machine, another protocol, and a hub that does not answer."""
    result = run("models", "pull", "whisper-base", "--from", source)
    assert result.exit_code == 1
    assert f"model_unavailable: {why}" in told(result)
    assert "whisper-base     asr     not here" in run("models", "list").output


def test_verify_finds_a_damaged_whisper_model(run: Run, whisper: Hub) -> None:
    """Right after the fetch it is right; one byte later it is not, and the status is 1."""
    run("models", "pull", Hub.name, "--from", whisper.url)
    assert f"ok {Hub.name}: sha256" in told(run("models", "verify"))
    weights = bytearray((FOLDER / "model.bin").read_bytes())
    weights[-1] ^= 1
    (FOLDER / "model.bin").write_bytes(weights)
    result = run("models", "verify", Hub.name)
    assert result.exit_code == 1
    assert f"wrong {Hub.name}:" in told(result)


def test_verify_finds_a_damaged_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of pocketsphinx's model that is not what its wheel brought."""
    monkeypatch.setattr(verify, "digest", lambda path: "0" * 64 if path.suffix == ".dict" else digest(path))
    result = run("models", "verify", "pocketsphinx")
    assert result.exit_code == 1
    assert "cmudict-en-us.dict of the package pocketsphinx is not what it was installed with" in told(result)


@pytest.mark.timeout(120)
def test_verify_loads_and_hears(run: Run, whisper: Hub) -> None:
    """The recogniser that is always there understands the clip; a Whisper model is run, whatever it makes of it."""
    sphinx = run("models", "verify", "pocketsphinx", "--load")
    assert sphinx.exit_code == 0, sphinx.output
    assert 'it heard "two men in sunglasses"' in told(sphinx)
    run("models", "pull", Hub.name, "--from", whisper.url)
    tiny = run("models", "verify", Hub.name, "--load")
    assert tiny.exit_code == 0, tiny.output
    assert f"{Hub.name.partition('/')[2]} on cpu by faster-whisper" in told(tiny)


def test_a_recogniser_elsewhere_is_tried_only_by_name(run: Run) -> None:
    """Nothing of it is here to compare; without an address it cannot be used, and it is not among all."""
    assert "ok openai: it runs elsewhere" in told(run("models", "verify", "openai"))
    assert "openai" not in run("models", "verify").output
    result = run("models", "verify", "openai", "--load")
    assert result.exit_code == 1
    assert "needs OPENAI_BASE_URL" in told(result)
