"""What README and compose file say of settings is what the settings are."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from aiohttp import web

from server.cli.app import app
from server.cli.options import variable
from server.settings import Settings, load
from server.tls import server_context
from tests.server.certificates import make_certificate

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


def test_every_command_is_in_its_page() -> None:
    """In the list at its top, and nothing is there that is no command."""
    page = (REPOSITORY / "docs/cli.md").read_text("utf-8")
    listed = set(re.findall(r"^vedette ([a-z]+(?: [a-z]+)?)  +\S", page, re.MULTILINE))
    assert listed == set(_commands(typer.main.get_command(app), ""))


def _commands(command: Any, prefix: str) -> Iterator[str]:
    for name, each in getattr(command, "commands", {}).items():
        inside = list(_commands(each, f"{prefix}{name} "))
        yield from inside or [f"{prefix}{name}"]


def test_the_compose_files_environment_is_made_of_settings(compose: dict[str, Any]) -> None:
    """As it stands without a file .env, and with the recogniser of its profile."""
    environment = compose["services"]["server"]["environment"]
    given = {name: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", value) for name, value in environment.items()}
    settings = load(given)
    assert (settings.asr, settings.loopback, settings.needs_token) == ("auto", True, False)
    assert load({**given, "VEDETTE_AUTH": "always"}).needs_token
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


def test_the_image_listens_beyond_its_container_and_asks_for_a_token() -> None:
    """As it is, with nothing else set."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8")
    (line,) = re.findall(r"^ENV (VEDETTE_.*)$", dockerfile, re.MULTILINE)
    settings = load(dict(each.split("=") for each in line.split()))
    assert (settings.host, settings.needs_token, settings.tls) == ("0.0.0.0", True, False)


async def test_the_images_health_check_asks_by_http_and_https(tmp_path: Path) -> None:
    """Whatever name the certificate has; a server that is not there is unhealthy."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8").replace("\\\n", "")
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.MULTILINE)
    _, *arguments = json.loads(command)

    async def check(**variables: str) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=variables, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    async def alive(_: web.Request) -> web.Response:
        return web.Response()

    certificate, key = make_certificate(tmp_path)
    site = web.Application()
    site.router.add_get("/health/live", alive)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificate, key)).start()
        plain, tls = (str(address[1]) for address in runner.addresses)
        assert await check(VEDETTE_PORT=plain) == 0
        assert await check(VEDETTE_PORT=tls, VEDETTE_TLS_CERT=str(certificate)) == 0
    finally:
        await runner.cleanup()
    assert await check(VEDETTE_PORT=plain) != 0
