"""`vedette doctor`: what it says of a machine, and when it says that no server can run."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from server.cli import detector, machine
from server.database import FILE_NAME
from server.datadir import DataDir
from tests.server.certificates import make_certificate
from tests.server.cli.terminal import Hub, Run, told

UNTRIED = ("--detector", "yolo26n", "--asr", "whisper-base")
"""Models that are not here and are not fetched: for tests of everything else."""


@pytest.fixture
def web_dir(tmp_path: Path) -> Path:
    """A console that is built."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    return folder


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on, which says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def checks(result: Result) -> dict[str, Any]:
    """The findings by name, of a run with --json."""
    found: dict[str, Any] = json.loads(result.stdout)["checks"]
    return found


@pytest.mark.timeout(240)  # an export takes 5 s alone and a minute on a busy machine
def test_a_machine_that_is_well(run: Run, web_dir: Path) -> None:
    """One screen says what would run, where and why, having tried it; status 0, and it all again as JSON."""
    result = run("doctor", "--port", "0", "--web-dir", web_dir, COLUMNS="200")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) < 45
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in result.output
    for words in (
        "people on cpu by",
        "these are the weights that ship with Vedette",
        "ms a picture of 416x256",
        "auto means fast here",
        "only this machine can reach it",
        "will be made at the first start",
        "pocketsphinx on cpu, 5.1.1, language en",
        'it heard "two men in sunglasses"',
        "A server can run here",
    ):
        assert words in told(result)
    found = json.loads(run("doctor", "--port", "0", "--web-dir", web_dir, "--json").stdout)
    assert found["status"] == "ok"
    assert list(found["checks"]) == [
        *("system", "packages", "cameras", "settings"),
        *("address", "network", "data", "database", "console"),
        *("gpu", "profile", "detector", "recogniser"),
    ]
    looked = found["checks"]["detector"]
    assert looked["fallback"] is False
    assert len(looked["inferenceMs"]) == 10
    assert looked["found"]["person"] > 0
    listened = found["checks"]["recogniser"]
    assert (listened["heard"], listened["fallback"]) == ("two men in sunglasses", False)
    assert 0 < listened["tookS"] < 60


def test_a_taken_port_is_a_failure_with_a_remedy(run: Run, taken: int) -> None:
    """Another program has it: status 1, and what to do."""
    result = run("doctor", "--port", taken, *UNTRIED)
    assert result.exit_code == 1
    assert f"port {taken} of 127.0.0.1 is taken by another program" in told(result)
    assert "choose another port with --port" in told(result)
    assert "No server can run here yet: 1 thing to put right first." in result.output


def test_a_server_that_runs_is_no_failure(run: Run, hub: Hub) -> None:
    """Its port is taken by itself, and its data directory is in use."""
    hub.files["access"] = json.dumps({"needed": True, "role": None, "name": None}).encode()
    with DataDir(Path("data")):
        result = run("doctor", "--port", hub.url.rpartition(":")[2], "--json", *UNTRIED)
    found = checks(result)
    assert result.exit_code == 0
    assert "the server that is running answers there" in found["address"]["text"]
    assert "a server is running on it" in found["data"]["text"]
    with DataDir(Path("data")):
        shown = run("doctor", "--port", hub.url.rpartition(":")[2], *UNTRIED)
    assert "A server is running here, with" in shown.output
    other = checks(run("doctor", "--port", hub.url.rpartition(":")[2], "--json", "--data-dir", "other", *UNTRIED))
    assert other["address"]["status"] == "failed"


def test_an_address_of_another_machine_fails(run: Run) -> None:
    """Nobody can listen there, and the finding says so before the server would."""
    found = checks(run("doctor", "--host", "192.0.2.1", "--insecure-bind", "--json", *UNTRIED))
    assert found["address"]["status"] == "failed"
    assert "http://192.0.2.1:8000 cannot be listened on" in found["address"]["text"]


def test_a_data_directory_that_cannot_be_written_fails(run: Run, tmp_path: Path) -> None:
    """It is named, nothing is loaded, and the rest is still looked at."""
    (tmp_path / "file").touch()
    result = run("doctor", "--port", "0", "--data-dir", tmp_path / "file" / "data", "--json")
    found = checks(result)
    assert result.exit_code == 1
    assert found["data"]["status"] == "failed"
    assert found["data"]["text"] == f"{tmp_path / 'file' / 'data'} cannot be written: Not a directory"
    assert found["detector"]["text"].startswith("not tried")
    assert found["network"]["status"] == "ok"


def test_wrong_settings_are_a_finding(run: Run) -> None:
    """All of them, as the option or the variable that is wrong; what needs no settings is still told."""
    result = run("doctor", "--port", "x", "--json", VEDETTE_HOTS="1")
    assert result.exit_code == 1
    found = checks(result)
    assert set(found) == {"system", "packages", "cameras", "settings"}
    assert "--port='x'" in found["settings"]["text"]
    assert "did you mean VEDETTE_HOST" in found["settings"]["text"]


def test_plain_http_beyond_this_machine_is_a_warning(run: Run) -> None:
    """Everybody on the way reads along: that is said, with what to do, and is no failure; a token is needed there."""
    found = checks(run("doctor", "--port", "0", "--host", "0.0.0.0", "--insecure-bind", "--json", *UNTRIED))
    assert found["network"]["status"] == "degraded"
    assert "can be read by everybody on the way" in found["network"]["text"]
    assert "whoever uses it needs a token" in found["network"]["text"]
    assert "--tls-cert" in found["network"]["remedy"]


def test_https_is_well_with_a_certificate_that_is_one(run: Run, tmp_path: Path) -> None:
    """Its files are tried, as the start would."""
    certificate, key = make_certificate(tmp_path)
    beyond = ("doctor", "--port", "0", "--host", "0.0.0.0", "--json", *UNTRIED)
    found = checks(run(*beyond, "--tls-cert", certificate, "--tls-key", key))
    assert found["network"]["status"] == "ok"
    assert "0.0.0.0 is reached by https" in found["network"]["text"]
    found = checks(run(*beyond, "--tls-cert", key, "--tls-key", certificate))
    assert found["network"]["status"] == "failed"
    assert "are no certificate and its key" in found["network"]["text"]


def test_always_asking_for_a_token_is_told(run: Run) -> None:
    """It is not told of a server that asks nobody."""
    found = checks(run("doctor", "--port", "0", "--auth", "always", "--json", *UNTRIED))
    assert "whoever uses it needs a token" in found["network"]["text"]
    found = checks(run("doctor", "--port", "0", "--json", *UNTRIED))
    assert "token" not in found["network"]["text"]


def test_a_missing_console_is_a_warning(run: Run, tmp_path: Path) -> None:
    """The API works without."""
    found = checks(run("doctor", "--port", "0", "--web-dir", tmp_path / "none", "--json", *UNTRIED))
    assert found["console"]["status"] == "degraded"
    assert "make run" in found["console"]["remedy"]


def test_no_credentials_are_shown(run: Run) -> None:
    """A database that cannot be reached is named without its password, TURN servers without theirs."""
    variables = {
        "DATABASE_URL": "postgres://vedette:hunter2@127.0.0.1:9/v",
        "VEDETTE_ICE_SERVERS": '[{"urls": "turn:turn.example", "username": "u", "credential": "hunter3"}]',
    }
    variables["VEDETTE_ALLOWED_ORIGINS"] = "https://u:hunter4@console.example"
    for form in ((), ("--json",)):
        result = run("doctor", "--port", "0", *form, *UNTRIED, **variables)
        assert result.exit_code == 1
        assert "postgres://127.0.0.1:9/v" in result.output
        assert "turn:turn.example" in result.output
        assert "hunter" not in result.output
    assert checks(result)["settings"]["given"]["DATABASE_URL"] == "***"
    assert checks(result)["settings"]["given"]["VEDETTE_ICE_SERVERS"] == "***"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"rubbish" * 1000, "file is not a database"), (None, "was written by a newer version: it has 9999_later")],
)
def test_a_database_that_this_version_cannot_use_fails(run: Run, content: bytes | None, said: str) -> None:
    """No database at all, and one with migrations that this version does not know; neither is changed."""
    Path("data").mkdir()
    file = Path("data") / FILE_NAME
    if content is not None:
        file.write_bytes(content)
    else:
        connection = sqlite3.connect(file)
        connection.execute("CREATE TABLE tortoise_migrations (app TEXT, name TEXT)")
        connection.execute(
            "INSERT INTO tortoise_migrations VALUES ('vedette', '9999_later'), ('vedette', '0001_initial')"
        )
        connection.commit()
        connection.close()
    before = file.read_bytes()
    found = checks(run("doctor", "--port", "0", "--json", *UNTRIED))
    assert found["database"]["status"] == "failed"
    assert found["database"]["code"] == "db_unavailable"
    assert said in found["database"]["text"]
    assert file.read_bytes() == before


def test_doctor_fetches_nothing(run: Run) -> None:
    """A model that the server would fetch is not fetched by a look; an unknown one is a failure."""
    untried = checks(run("doctor", "--port", "0", "--json", *UNTRIED))["detector"]
    assert untried["status"] == "degraded"
    assert untried["remedy"] == "vedette models pull yolo26n"
    assert not Path("data/models").exists()
    unheard = checks(run("doctor", "--port", "0", "--json", *UNTRIED))["recogniser"]
    assert (unheard["status"], unheard["remedy"]) == ("degraded", "vedette models pull whisper-base")
    assert not Path("data/models").exists()
    unknown = run("doctor", "--port", "0", "--json", *UNTRIED, "--detector", "yol")
    assert unknown.exit_code == 1
    assert checks(unknown)["detector"]["code"] == "not_found"


def test_a_server_runs_without_the_recogniser_that_was_asked_for(run: Run) -> None:
    """What stands in for it is a warning that says why, what is no name at all is one, and neither is a failure."""
    fallen = run("doctor", "--port", "0", "--json", *UNTRIED, "--asr", "openai")
    found = checks(fallen)["recogniser"]
    assert fallen.exit_code == 0
    assert (found["status"], found["engine"], found["fallback"]) == ("degraded", "pocketsphinx", True)
    assert "needs OPENAI_BASE_URL" in found["text"]
    unknown = run("doctor", "--port", "0", "--json", *UNTRIED, "--asr", "wisper")
    assert unknown.exit_code == 0
    assert checks(unknown)["recogniser"]["code"] == "not_found"


def test_cameras_of_the_machine_are_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel names them."""
    for name in ("dev/video0", "dev/video2", "sys/video0/name"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sys/video0/name").write_text("Integrated Camera\n")
    monkeypatch.setattr(machine, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(machine, "NAMES", tmp_path / "sys")
    found = checks(run("doctor", "--port", "x", "--json"))
    assert found["cameras"]["text"] == f"{tmp_path}/dev/video0 Integrated Camera, {tmp_path}/dev/video2"


def test_a_package_that_is_missing_or_broken_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told with what installs it; what needs the packages is not tried."""
    monkeypatch.setattr(machine, "PACKAGES", ("aiortc", "no-such-package"))
    monkeypatch.setattr(machine, "IMPORTED", ("no_such_module",))
    result = run("doctor", "--port", "0", "--json")
    found = checks(result)
    assert result.exit_code == 1
    assert "no-such-package is not installed" in found["packages"]["text"]
    assert "no_such_module cannot be imported" in found["packages"]["text"]
    assert "detector" not in found


def test_a_gpu_that_torch_cannot_use_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The driver is there, the build of torch is without CUDA: common, and silent otherwise."""
    driver = tmp_path / "nvidiactl"
    driver.touch()
    monkeypatch.setattr(detector, "NVIDIA", (driver,))
    monkeypatch.setattr(detector, "has_gpu", lambda: False)
    found = checks(run("doctor", "--port", "0", "--json", *UNTRIED))
    assert found["gpu"]["status"] == "degraded"
    assert "TORCH_INDEX=default" in found["gpu"]["remedy"]
