"""The command line as a whole: starting fast, ending with the right status, settings as options."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server.cli.app import Commands, main
from server.cli.options import OPTIONS, load_settings
from server.settings import SECRET, Settings, SettingsError
from server.version import get_version
from tests.server.cli.terminal import Run

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = (
    "torch",
    "ultralytics",
    "openvino",
    "onnxruntime",
    "aiortc",
    "av",
    "cv2",
    "numpy",
    "aiohttp",
    "rich",
    "pydantic",
)


def vedette(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python -m server.cli …`, as installed: a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VEDETTE_")}
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = [sys.executable, "-m", "server.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=60)


def test_the_installed_command_is_this_one() -> None:
    """What pyproject.toml installs as `vedette` exists and returns an exit status."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["vedette"].partition(":")
    assert getattr(importlib.import_module(module), name) is main


def test_help_and_version_come_from_a_process_that_imports_nothing_heavy(tmp_path: Path) -> None:
    """`--help` lists the commands, `--version` the version, without waiting for torch or a web server."""
    helped = vedette("--help", cwd=tmp_path)
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in ("serve", "models", "token", "doctor", "--install-completion"))
    assert vedette("--version", cwd=tmp_path).stdout == f"vedette {get_version()}\n"
    code = f"import sys, server.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [("serv",), ("serve", "--prot", "1"), ("models", "pull"), ("serve", "extra")])
def test_wrong_usage_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    """An unknown command or option, and a missing or superfluous argument, are told on stderr."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: vedette" in result.stderr


def test_a_foreseen_error_is_its_code_and_message_without_a_stack(tmp_path: Path) -> None:
    """Also in a real process: one line on stderr, exit status 1."""
    result = vedette("models", "pull", "nothing", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("not_found: unknown model 'nothing', have: yolo26n, yolo26s")
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the shell expects of a program that was interrupted."""

    def interrupted(self: Commands, ctx: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Commands, "invoke", interrupted)
    assert main(["models", "list"]) == 130


def test_credentials_in_an_error_are_not_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a message repeats of a URL."""
    result = run("models", "pull", "yolo26n.pt", "--from", "ftp://user:hunter2@hub.example")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("model_unavailable: ")
    assert "hunter2" not in result.output


def test_every_option_is_a_setting_that_holds_no_credentials() -> None:
    """Each sets its field; a field that may hold credentials is not for a command line that others can read."""
    assert set(OPTIONS) <= set(Settings.model_fields) - set(SECRET)
    given = {"port": "0", "force_cpu": True, "insecure_bind": False, "host": None, "data_dir": "elsewhere"}
    settings = load_settings(given)
    assert (settings.port, settings.force_cpu, settings.insecure_bind) == (0, True, False)
    assert settings.data_dir == Path("elsewhere")


def test_an_option_wins_over_the_environment_and_that_over_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One order, everywhere."""
    Path(".env").write_text("VEDETTE_PORT=9000\nVEDETTE_LOG=json\nVEDETTE_PROFILE=fast\n")
    monkeypatch.setenv("VEDETTE_PORT", "9001")
    monkeypatch.setenv("VEDETTE_LOG", "console")
    settings = load_settings({"port": "9002"})
    assert (settings.port, settings.log, settings.profile) == (9002, "console", "fast")


def test_a_wrong_option_is_named_as_it_was_given(run: Run) -> None:
    """With the message that the variable would have got, and beside what is wrong in the environment."""
    result = run("serve", "--port", "x", VEDETTE_LOG="xml")
    assert result.exit_code == 2
    assert "--port='x': Input should be a valid integer" in result.stderr
    assert "VEDETTE_LOG='xml': Input should be 'console' or 'json'" in result.stderr
    with pytest.raises(SettingsError, match="--force-cpu="):
        load_settings({"force_cpu": "perhaps"})


def test_serve_says_who_has_its_port_and_its_data(run: Run, tmp_path: Path) -> None:
    """A taken port is a conflict that names the option; a data directory that cannot be made is told, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = vedette("serve", "--port", str(port), "--data-dir", "data", "--detector", "people", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"conflict: port {port} of 127.0.0.1 is taken by another program")
    (tmp_path / "file").touch()
    result = vedette("serve", "--data-dir", "file/data", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "internal: [Errno 20] Not a directory: 'file/data'"


def test_help_is_never_wider_than_a_page(run: Run) -> None:
    """Every command's help fits 100 columns, and describes every option."""
    for command in (
        (),
        ("serve",),
        ("models",),
        ("models", "list"),
        ("models", "pull"),
        ("models", "verify"),
        ("token",),
        ("token", "create"),
        ("token", "list"),
        ("token", "revoke"),
        ("doctor",),
    ):
        result = run(*command, "--help", COLUMNS="200")
        assert result.exit_code == 0
        assert max(map(len, result.output.splitlines())) <= 100
