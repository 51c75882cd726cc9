"""What README and compose file say of settings is what the settings are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.cli.options import variable
from server.settings import Settings, load

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file."""
    document: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
    return document


def test_every_setting_is_in_the_readme() -> None:
    """With its default, where that is short; and nothing is there that is no setting."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z][A-Z_]+)` \| *`?([^`|]*?)`? *\|", readme, re.MULTILINE))
    assert set(rows) == {variable(field) for field in Settings.model_fields}
    defaults = load({name: value for name, value in rows.items() if value and name != "VEDETTE_WEB_DIR"})
    assert defaults == Settings()


def test_the_compose_files_environment_is_made_of_settings(compose: dict[str, Any]) -> None:
    """As it stands without a file .env, and with the recogniser of its profile."""
    environment = compose["services"]["server"]["environment"]
    given = {name: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", value) for name, value in environment.items()}
    settings = load(given)
    assert (settings.asr, settings.loopback) == ("auto", True)
    host, port = str(settings.openai_base_url).removeprefix("http://").removesuffix("/v1").split(":")
    assert compose["services"]["asr"]["ports"] == [f"{host}:{port}:8000"]


def test_what_is_optional_is_pinned_and_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    """Every image has a version for a tag, and every published port an address of loopback."""
    for name, service in compose["services"].items():
        if name == "server":
            continue
        assert service["profiles"] == [name]
        assert re.search(r":\d", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
