"""Settings as options. They go the way of the environment, above it: both mean the same, and are refused alike."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from ..settings import Settings

Given = Mapping[str, str | bool | None]
"""Options by the name of their setting; None and False were not given."""
Command = TypeVar("Command", bound=Callable[..., None])

OPTIONS: Mapping[str, tuple[str, str]] = {
    "host": ("ADDRESS", "Address or name to listen on; without this, 127.0.0.1."),
    "port": ("PORT", "Port to listen on, 0 for any free one; without this, 8000."),
    "insecure_bind": ("", "Listen beyond this machine by plain http, without TLS."),
    "tls_cert": ("FILE", "The certificate chain (PEM) to serve https with."),
    "tls_key": ("FILE", "Its private key (PEM), without a passphrase."),
    "auth": ("WHEN", "always asks for a token on this machine, too; without this, auto."),
    "data_dir": ("FOLDER", "Database, fetched models, cached exports; without this, ./data."),
    "profile": ("NAME", "Profile of sessions that name none: fast, accurate, cpu-only or auto."),
    "detector": ("MODEL", "A registry name, a hub name (yolo26n.pt) or a path; auto chooses."),
    "asr": ("MODEL", "The recogniser: a registry name, a hub name (Systran/faster-whisper-base), a path, or auto."),
    "asr_threads": ("N", "CPU threads of recognition; 0 leaves it to the engine."),
    "models": ("FILE", "A model registry (TOML) that is merged over the one that ships."),
    "web_dir": ("FOLDER", "The built console."),
    "force_cpu": ("", "Use no GPU, whatever is there."),
    "detector_threads": ("N", "CPU threads of the detector; 0 chooses."),
    "detector_max_rate_hz": ("HZ", "Most detections per second and session; 0 takes the profile's."),
    "allowed_hosts": ("NAMES", "Further names that the server is reached by, with commas."),
    "allowed_origins": ("ORIGINS", "Origins of other pages that may use it, with commas."),
    "ice_host": ("ADDRESSES", "The only addresses that are offered for media, with commas."),
    "log": ("KIND", "console or json."),
    "log_level": ("LEVEL", "debug, info, warning or error."),
}
"""(what the value is called, or nothing for a switch; help) by setting.

What may hold credentials has no option: other users of the machine can read the command lines of all processes.
"""


def accepts_settings(*fields: str) -> Callable[[Command], Command]:
    """Give a command the options of these settings, by default of all; it gets them as keyword arguments."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        added = [_parameter(field) for field in fields or OPTIONS]
        command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        return command

    return decorate


def load_settings(given: Given) -> Settings:
    """The settings of environment and `.env`, with what was given as options above them.

    Raises SettingsError; a value that came as an option is named as that option.
    """
    from ..settings import SettingsError, load

    values = {field: "1" if value is True else str(value) for field, value in given.items() if value}
    overrides = {variable(field): value for field, value in values.items()}
    try:
        return load({**os.environ, **overrides}, Path(".env"))
    except SettingsError as error:
        lines = str(error).splitlines()
        for field in values:
            called = f"{variable(field)}="
            lines = [_flag(field) + line[len(called) - 1 :] if line.startswith(called) else line for line in lines]
        raise SettingsError("\n".join(lines)) from error


def read_settings(given: Given) -> Settings:
    """`load_settings` for a command: wrong ones end it with exit status 2, like any wrong usage."""
    from ..settings import SettingsError

    try:
        return load_settings(given)
    except SettingsError as error:
        typer.echo(f"wrong settings:\n{error}", err=True)
        raise typer.Exit(2) from error


def variable(field: str) -> str:
    """The environment variable of a setting."""
    from ..settings import PREFIX, UNPREFIXED

    return UNPREFIXED.get(field, PREFIX + field.upper())


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _parameter(field: str) -> inspect.Parameter:
    metavar, help = OPTIONS[field]
    kind: Any = str | None if metavar else bool
    option = typer.Option(_flag(field), help=help, metavar=metavar or None, show_default=False)
    default = None if metavar else False
    return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
