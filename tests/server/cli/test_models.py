"""`vedette models`: what is listed, what is fetched, and what is found to be wrong."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.server.cli.terminal import Hub, Run, told
from tracks.registry import Registry

SHA256 = Registry.load().bundled_detector.sha256 or ""


def test_list_shows_the_registry_and_what_auto_means(run: Run) -> None:
    """Before anything is fetched: the bundled weights, with size, hash and licence, and the others not here."""
    result = run("models", "list")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.output.splitlines() if line.strip()}
    assert rows["people"] == ["people", "detect", "bundled", "1.7", "MB", SHA256[:12], "AGPL-3.0", "<-", "auto"]
    assert rows["yolo26n"][:4] == ["yolo26n", "detect", "not", "here"]
    assert rows["pocketsphinx"][:4] == ["pocketsphinx", "asr", "bundled", "37.9"]
    assert rows["pocketsphinx"][-2:] == ["<-", "auto"]
    assert rows["whisper-base"][:4] == ["whisper-base", "asr", "not", "here"]
    assert rows["openai"] == ["openai", "asr", "elsewhere", "unknown"]
    assert "auto means, to detect, people: nothing was fetched" in result.output
    assert "auto means, to hear, pocketsphinx: nothing was fetched" in result.output
    assert not Path("data").exists()


def test_list_as_json_is_for_programs(run: Run) -> None:
    """The same, with full paths and hashes."""
    listed = json.loads(run("models", "list", "--json", VEDETTE_DETECTOR="yolo26n", VEDETTE_ASR="whisper-base").output)
    people, *others = (each for each in listed["models"] if each["task"] == "detect")
    assert people["sha256"] == SHA256
    assert people["bytes"] == Path(people["path"]).stat().st_size
    assert [each["place"] for each in others] == ["not here", "not here"]
    assert listed["auto"]["name"] == "people"
    assert listed["detector"] == "yolo26n"
    sphinx, *_, openai = (each for each in listed["models"] if each["task"] == "asr")
    assert Path(sphinx["path"]).is_dir()
    assert (openai["place"], openai["path"], openai["bytes"]) == ("elsewhere", None, None)
    assert (listed["autoRecogniser"]["name"], listed["recogniser"]) == ("pocketsphinx", "whisper-base")


def test_list_knows_the_operators_registry(run: Run, tmp_path: Path) -> None:
    """Entries of VEDETTE_MODELS are merged in; a file that is not there is missing, not fetchable."""
    (tmp_path / "mine.onnx").write_bytes(b"x" * 2_000_000)
    registry = tmp_path / "models.toml"
    registry.write_text(
        '[models.mine]\ntask = "detect"\nfile = "mine.onnx"\nlicence = "MIT"\n'
        '[models.gone]\ntask = "detect"\nfile = "gone.onnx"\n'
    )
    result = run("models", "list", "--models", registry)
    rows = {line.split()[0]: line.split() for line in result.output.splitlines() if line.strip()}
    assert rows["mine"] == ["mine", "detect", "file", "2.0", "MB", "MIT"]
    assert rows["gone"] == ["gone", "detect", "missing", "unknown"]
    broken = run("models", "list", "--models", tmp_path / "mine.onnx")
    assert broken.exit_code == 1
    assert broken.stderr.startswith("invalid_request: model registry")


def test_pull_fetches_checks_and_says_where(run: Run, hub: Hub) -> None:
    """A name of the registry comes from the hub once, with a bar; from then on it is what `auto` means."""
    result = run("models", "pull", "yolo26n", "--from", hub.url)
    assert result.exit_code == 0, result.output
    file = Path("data/models/yolo26n.pt")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256
    assert str(file) in result.stdout
    assert SHA256 in result.stdout
    assert "vedette serve --detector yolo26n" in told(result)
    assert "1.7/1.7 MB" in result.stderr
    again = run("models", "pull", "yolo26n.pt", "--from", hub.url)
    assert "already here" in again.stdout
    assert "the same as at its first use" in again.stdout
    assert hub.asked == ["/yolo26n.pt"]
    listed = run("models", "list")
    assert "auto means, to detect, yolo26n: the newest model fetched earlier" in listed.output


def test_pull_takes_any_name_of_the_hub(run: Run, hub: Hub, weights: bytes) -> None:
    """One that the registry does not know is listed by its file name afterwards."""
    hub.files["yolo99x.pt"] = weights
    assert run("models", "pull", "yolo99x.pt", "--from", f"{hub.url}/").exit_code == 0
    listed = json.loads(run("models", "list", "--json").output)
    assert "yolo99x.pt" in [each["name"] for each in listed["models"]]
    assert listed["auto"]["name"] == "yolo99x.pt"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yolo26s", "model_unavailable: yolo26s.pt cannot be fetched from http://127.0.0.1"),
        ("yolo26n", "model_unavailable: what http://127.0.0.1"),
        ("people", "invalid_request: people is no model of the hub"),
        ("pocketsphinx", "invalid_request: pocketsphinx is no model of the hub: there is nothing to fetch"),
        ("openai", "invalid_request: openai runs elsewhere, at OPENAI_BASE_URL"),
        ("../evil.pt", "not_found: unknown model '../evil.pt', have: yolo26n, yolo26s"),
    ],
)
def test_what_cannot_be_had_leaves_nothing(run: Run, hub: Hub, name: str, said: str) -> None:
    """A hub without the file, a page in place of weights, a model of no hub and a crooked name: told, status 1."""
    hub.files["yolo26n.pt"] = b"<html>please log in</html>"
    result = run("models", "pull", name, "--from", hub.url)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(said)
    folder = Path("data/models")
    assert not folder.exists() or os.listdir(folder) == []


def test_pull_without_a_network_says_so(run: Run) -> None:
    """The stable code, the address that was asked, and why."""
    result = run("models", "pull", "yolo26n", "--from", "http://127.0.0.1:9")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("model_unavailable: yolo26n.pt cannot be fetched from http://127.0.0.1:9/: ")
    assert "refused" in last


def test_pull_refuses_what_the_registry_does_not_mean(run: Run, hub: Hub, tmp_path: Path) -> None:
    """Another hash than the registry's is neither kept nor trusted later."""
    registry = tmp_path / "models.toml"
    registry.write_text(f'[models.yolo26n]\ntask = "detect"\nhub = "yolo26n.pt"\nsha256 = "{"0" * 64}"\n')
    result = run("models", "pull", "yolo26n", "--from", hub.url, "--models", registry)
    assert result.exit_code == 1
    assert f"expected {'0' * 64}" in told(result)
    assert os.listdir("data/models") == []


def test_verify_passes_what_is_right(run: Run, hub: Hub) -> None:
    """The bundled weights and a fetched model; what is not here is not asked for."""
    run("models", "pull", "yolo26n", "--from", hub.url)
    result = run("models", "verify")
    assert result.exit_code == 0
    said = [line.split()[:2] for line in result.output.splitlines()]
    assert said == [["ok", "people:"], ["ok", "yolo26n:"], ["ok", "pocketsphinx:"]]


def test_verify_finds_a_damaged_file(run: Run, hub: Hub) -> None:
    """One byte is enough: it is named, the others are still checked, and the status is 1."""
    run("models", "pull", "yolo26n", "--from", hub.url)
    file = Path("data/models/yolo26n.pt")
    damaged = bytearray(file.read_bytes())
    damaged[1000] ^= 1
    file.write_bytes(damaged)
    result = run("models", "verify")
    assert result.exit_code == 1
    assert "ok people:" in told(result)
    assert f"wrong yolo26n: weights {file} have sha256" in told(result)
    assert result.stderr == "model_unavailable: 1 of 3 cannot be used: yolo26n\n"
    assert run("models", "verify", "people").exit_code == 0


@pytest.mark.parametrize(
    ("name", "said"), [("yolo26n", "it is not here"), ("yol", "unknown model 'yol', have: people")]
)
def test_verify_of_what_is_not_here_fails(run: Run, name: str, said: str) -> None:
    """A model that was named is expected to be there."""
    result = run("models", "verify", name)
    assert result.exit_code == 1
    assert said in told(result)


@pytest.mark.timeout(240)  # an export takes 5 s alone and a minute on a busy machine
def test_verify_loads_and_detects(run: Run, tmp_path: Path, weights: bytes) -> None:
    """The bundled model finds people on a photograph; a file with the right hash that is no model does not load."""
    good = run("models", "verify", "people", "--load", "--data-dir", tmp_path / "data")
    assert good.exit_code == 0, good.output
    assert "people on cpu by" in good.output
    assert "× person" in good.output
    (tmp_path / "bad.onnx").write_bytes(b"not a graph")
    registry = tmp_path / "models.toml"
    registry.write_text('[models.bad]\ntask = "detect"\nfile = "bad.onnx"\n')
    bad = run("models", "verify", "bad", "--load", "--data-dir", tmp_path / "data", "--models", registry)
    assert bad.exit_code == 1
    assert told(bad).count("wrong bad: ") == 1
    assert "ok bad" not in told(bad)
    assert "Traceback" not in bad.output
