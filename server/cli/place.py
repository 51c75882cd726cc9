"""What `doctor` says of the place that the settings give a server: address, network, data, database, console."""

from __future__ import annotations

import asyncio
import errno
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tracks.errors import Conflict, DatabaseUnavailable, InvalidRequest

from ..datadir import DataDir
from ..health import Check, CheckResult, database_check, disk_check
from ..settings import SECRET, Settings
from ..tls import server_context
from .database import look_at_database
from .options import variable
from .port import bind_problem, is_vedette
from .words import size_of, url_of

NODE_AT_LEAST = 20
DOTENV = Path(".env")


def settings_check(settings: Settings | None, problem: str) -> Check:
    """Which settings are not the defaults; failed when there is a problem with them."""

    def look() -> CheckResult:
        if settings is None:
            return CheckResult("failed", {"text": problem, "remedy": "README.md has a table of all settings"})
        given = {variable(name): _shown(settings, name) for name in sorted(settings.model_fields_set)}
        source = f"; {DOTENV} is read" if DOTENV.is_file() else ""
        text = ", ".join(f"{name}={value}" for name, value in given.items()) or "the defaults"
        return CheckResult("ok", {"text": text + source, "given": given})

    return Check("settings", lambda: asyncio.to_thread(look))


def is_in_use(data_dir: Path) -> bool:
    """Whether a server runs on this data directory now. Makes the directory. Blocking."""
    try:
        with DataDir(data_dir):
            return False
    except Conflict:
        return True
    except OSError:  # told by the check of the directory
        return False


def checks(settings: Settings, *, in_use: bool) -> list[Check]:
    """address, network, data, database, console; `in_use` says that a server runs on the data now."""

    async def address() -> CheckResult:
        url = url_of(settings.host, settings.port, tls=settings.tls)
        problem = await asyncio.to_thread(bind_problem, settings.host, settings.port)
        if problem is None:
            return CheckResult(
                "ok", {"text": f"{url} is free" if settings.port else f"any free port of {settings.host}"}
            )
        if problem.errno != errno.EADDRINUSE:
            remedy = "choose an address of this machine with --host, and a port above 1023 with --port"
            return CheckResult("failed", {"text": f"{url} cannot be listened on: {problem.strerror}", "remedy": remedy})
        if in_use and await is_vedette(settings.host, settings.port, tls=settings.tls):
            return CheckResult("ok", {"text": f"{url}: the server that is running answers there", "running": True})
        text = f"port {settings.port} of {settings.host} is taken by another program"
        return CheckResult("failed", {"text": text, "remedy": "stop it, or choose another port with --port"})

    async def network() -> CheckResult:
        asked = [url for server in settings.ice_servers for url in server.urls]
        detail: dict[str, Any] = {
            "loopback": settings.loopback,
            "token": settings.needs_token,
            "tls": settings.tls,
            "iceServers": asked,
        }
        asks = f"asks {', '.join(asked)} for its address" if asked else "asks no STUN or TURN server"
        if settings.ice_host:
            media = f"offers {', '.join(settings.ice_host)} for media"
        elif settings.loopback and sys.platform == "linux":
            media = "offers 127.0.0.1 alone for media"
        else:
            media = "offers the addresses of this machine for media"
        if settings.tls_cert is not None and settings.tls_key is not None:
            try:
                await asyncio.to_thread(server_context, settings.tls_cert, settings.tls_key)
            except InvalidRequest as error:
                remedy = "put the right files there, or take --tls-cert and --tls-key away"
                return CheckResult("failed", {"text": error.message, "remedy": remedy, **detail})
        does = f"it {media} and {asks}" + ("; whoever uses it needs a token" if settings.needs_token else "")
        if settings.loopback:
            return CheckResult("ok", {"text": f"only this machine can reach it; {does}", **detail})
        if settings.tls:
            return CheckResult("ok", {"text": f"{settings.host} is reached by https; {does}", **detail})
        text = f"what goes to and from {settings.host} can be read by everybody on the way; {does}"
        remedy = (
            "--tls-cert and --tls-key, or a proxy that speaks https before --host 127.0.0.1 --auth always; "
            "browsers, too, give a camera only to this machine or over https"
        )
        return CheckResult("degraded", {"text": text, "remedy": remedy, **detail})

    async def data() -> CheckResult:
        path = settings.data_dir.absolute()
        try:
            await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
            found = await disk_check(path).run()
        except OSError as error:
            remedy = "choose a folder that may be written with --data-dir"
            return CheckResult("failed", {"text": f"{path} cannot be written: {error.strerror}", "remedy": remedy})
        detail = {"text": f"{path} can be written, {size_of(found.detail['freeBytes'])} are free", **found.detail}
        if found.status != "ok":
            detail["remedy"] = "make room there, or choose another folder with --data-dir"
        elif in_use:
            detail["text"] += "; a server is running on it"
        return CheckResult(found.status, {**detail, "inUse": in_use})

    async def database() -> CheckResult:
        look = await asyncio.to_thread(look_at_database, settings.database_url, settings.data_dir)
        if look.round_trip is None:
            return CheckResult("ok", {"text": look.words})
        try:
            found = await database_check(look.round_trip).run()
        except DatabaseUnavailable as error:
            return CheckResult("failed", {"text": error.message, "remedy": look.remedy, "code": error.code})
        return CheckResult(
            found.status, {"text": f"{look.words}, {found.detail['roundTripMs']:.0f} ms", **found.detail}
        )

    return [
        Check("address", address),
        Check("network", network),
        Check("data", data),
        Check("database", database),
        Check("console", lambda: asyncio.to_thread(_console, settings)),
    ]


def _console(settings: Settings) -> CheckResult:
    from ..app import WEB_DIR

    folder = settings.web_dir or WEB_DIR
    built = (folder / "index.html").is_file()
    node = _node()
    detail = {"built": built, "node": node}
    has = f"Node.js {node} is here to build it" if node else "no Node.js is here to build it"
    if built:
        return CheckResult("ok", {"text": f"built, in {folder}", **detail})
    major = node.partition(".")[0]
    enough = major.isdigit() and int(major) >= NODE_AT_LEAST
    install = "" if enough else f"install Node.js {NODE_AT_LEAST} or newer (nodejs.org), then "
    remedy = f"{install}`make run` builds it; the API works without it"
    return CheckResult("degraded", {"text": f"not built ({folder}); {has}", "remedy": remedy, **detail})


def _node() -> str:
    """The version of Node.js, or nothing."""
    if shutil.which("node") is None:
        return ""
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False, timeout=5)
    return asked.stdout.strip().removeprefix("v")


def _shown(settings: Settings, name: str) -> str:
    return "***" if name in SECRET else str(getattr(settings, name))
