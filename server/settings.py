"""The settings: environment variables and a `.env` file. Nothing else in this project reads the environment."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from tracks.sources.reach import Reach

PREFIX = "VEDETTE_"
UNPREFIXED = {
    "force_cpu": "FORCE_CPU",
    "database_url": "DATABASE_URL",
    "openai_base_url": "OPENAI_BASE_URL",
    "openai_api_key": "OPENAI_API_KEY",
}
"""Fields whose variable has the name that other tools use for it."""
SECRET = ("database_url", "ice_servers", "openai_api_key")
"""Fields that may hold credentials: their values are not repeated in messages."""
STORED_REGISTRY = Path("models", "registry.json")
"""In the data directory, beside what is fetched."""
DATABASE_SCHEMES = ("postgres", "postgresql")
ICE_SCHEMES = ("stun", "stuns", "turn", "turns")
ICE_URI = re.compile(r"stuns?:[^/?#@\s]+|turns?:[^/?#@\s]+(\?transport=(udp|tcp))?")
"""RFC 7064 and RFC 7065: no slashes, as there would be in a URL."""
PLAIN_HTTP = (
    f"listening beyond this machine needs TLS, {PREFIX}TLS_CERT and {PREFIX}TLS_KEY, or everybody on the way can read"
    f" tokens and pictures; {PREFIX}INSECURE_BIND=1 says that plain http is meant"
)


class SettingsError(Exception):
    """One line for each variable that is wrong or unknown: its name, its value, and what is allowed."""


def _split(value: Any) -> Any:
    """A comma-separated list, as its items."""
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


def _json_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        items = json.loads(value)
        if isinstance(items, list):
            return items
        problem = type(items).__name__
    except json.JSONDecodeError as error:
        problem = f"not JSON, {error}"
    raise ValueError(f'expected a list such as [{{"urls": "stun:stun.example.org"}}], got {problem}')


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]


class IceServer(BaseModel):
    """One entry of `iceServers`, as in W3C WebRTC's RTCIceServer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: Annotated[tuple[str, ...], Field(min_length=1)]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)

    @field_validator("urls", mode="before")
    @classmethod
    def _several(cls, urls: Any) -> Any:
        return (urls,) if isinstance(urls, str) else urls

    @field_validator("urls")
    @classmethod
    def _known_scheme(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if url.partition(":")[0] not in ICE_SCHEMES:
                raise ValueError(f"unknown scheme of {url!r}, have: {', '.join(ICE_SCHEMES)}")
            if not ICE_URI.fullmatch(url):
                raise ValueError(f"{url!r} is not like stun:HOST:PORT or turn:HOST:PORT?transport=udp")
        return urls

    @model_validator(mode="after")
    def _known_to_turn(self) -> IceServer:
        if any(url.startswith("turn") for url in self.urls) and (self.username is None or self.credential is None):
            raise ValueError(f"{', '.join(self.urls)} needs username and credential")
        return self


class Settings(BaseModel):
    """Everything an operator can choose. `Settings()` is the defaults, whatever the environment says."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = "127.0.0.1"
    """Address or name to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any free port."""
    insecure_bind: bool = False
    """Listen beyond loopback by plain http; tokens are needed all the same."""
    tls_cert: Path | None = None
    """The certificate chain (PEM) to serve https with."""
    tls_key: Path | None = None
    """Its private key (PEM), without a passphrase."""
    auth: Annotated[Literal["auto", "always"], BeforeValidator(_lower)] = "auto"
    """`always` asks for a token on loopback, too."""
    allowed_hosts: Listed = ()
    """Host names that requests may be addressed to, besides those of loopback."""
    allowed_origins: Listed = ()
    """Origins of other pages that may use this server, such as https://console.example.org."""
    data_dir: Path = Path("data")
    database_url: str | None = Field(default=None, repr=False)
    """A Postgres server; None is SQLite in the data directory."""
    events_max_days: float = Field(default=365.0, ge=0)
    """How long events are kept; 0 keeps them whatever their age."""
    events_max_mb: int = Field(default=8192, ge=0)
    """Room for events, in units of 2^20 bytes; beyond it the oldest go. 0 sets no bound."""
    artifacts_max_mb: int = Field(default=2048, ge=1)
    """Room for thumbnails, snapshots and films, in units of 2^20 bytes; beyond it the oldest go."""
    uploads_max_mb: int = Field(default=4096, ge=1)
    """Room for uploaded files, in units of 2^20 bytes; beyond it no more are taken."""
    source_hosts: Listed = ()
    """Hosts that sources may lead to although their addresses are closed: names, addresses, networks."""
    web_dir: Path | None = None
    """The built console; None is web/out beside the packages."""
    models: Path | None = None
    """A model registry (TOML) in place of the one that ships."""
    detector: str = Field(default="auto", min_length=1)
    """A registry name, a hub name or a path; `auto` chooses."""
    profile: Literal["fast", "accurate", "cpu-only", "auto"] = "auto"
    """The profile of sessions that name none."""
    asr: str = Field(default="auto", min_length=1)
    """The recogniser: a registry name, a hub name, a path, or `auto`."""
    asr_threads: int = Field(default=0, ge=0, le=1024)
    """CPU threads of recognition; 0 leaves it to the engine."""
    openai_base_url: str | None = None
    """A server that speaks OpenAI's protocol, with its version: http://127.0.0.1:8001/v1."""
    openai_api_key: str | None = Field(default=None, repr=False)
    force_cpu: bool = False
    detector_threads: int = Field(default=0, ge=0, le=1024)
    """0 chooses, leaving room for the encoder."""
    detector_max_rate_hz: float = Field(default=0.0, ge=0)
    """Most detections per second; 0 chooses."""
    ice_servers: Annotated[tuple[IceServer, ...], BeforeValidator(_json_list)] = ()
    ice_host: Annotated[tuple[str, ...] | None, BeforeValidator(_split)] = None
    """The only addresses offered as ICE candidates; None offers what the machine has."""
    session_linger_s: float = Field(default=60.0, ge=0)
    """How long a session outlives its publisher."""
    pending_peer_timeout_s: float = Field(default=15.0, gt=0)
    """How long a peer may take to connect."""
    log: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"

    @property
    def registry_files(self) -> tuple[Path, ...]:
        """Model registries over the one that ships, the last one on top: the operator's, and what `PUT` has stored."""
        stored = self.data_dir / STORED_REGISTRY
        return (*(() if self.models is None else (self.models,)), *((stored,) if stored.is_file() else ()))

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name may resolve to anything

    @property
    def tls(self) -> bool:
        """True when the server speaks https."""
        return self.tls_cert is not None

    @property
    def needs_token(self) -> bool:
        """True when nobody without a token gets in, from wherever."""
        return self.auth == "always" or not self.loopback

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, url: str | None) -> str | None:
        scheme = (url or "postgres://").partition("://")[0]
        if scheme not in DATABASE_SCHEMES:
            raise ValueError(f"unknown scheme {scheme!r}, have: {', '.join(DATABASE_SCHEMES)}; unset it for SQLite")
        return url

    @field_validator("models", "tls_cert", "tls_key")
    @classmethod
    def _is_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @field_validator("source_hosts")
    @classmethod
    def _reachable(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        Reach.of(hosts)
        return hosts

    @field_validator("ice_host")
    @classmethod
    def _addresses(cls, hosts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for host in hosts or ():
            ipaddress.ip_address(host)
        return hosts


def load(environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    """The settings in `environ`, and below them those in the file `dotenv` where it exists.

    An empty value is as good as none. Raises SettingsError naming every variable that is wrong or unknown.
    """
    file = _read(dotenv) if dotenv is not None and dotenv.is_file() else {}
    variables = {name: value for name, value in {**file, **environ}.items() if value}
    names = {UNPREFIXED.get(field, PREFIX + field.upper()): field for field in Settings.model_fields}
    unknown = sorted(name for name in variables if name.upper().startswith(PREFIX) and name not in names)
    problems = [_unknown(name, names) for name in unknown]
    try:
        settings = Settings.model_validate({names[name]: value for name, value in variables.items() if name in names})
    except ValidationError as error:
        problems += [_wrong(detail) for detail in error.errors()]
    else:
        if (settings.tls_cert is None) != (settings.tls_key is None):
            has, lacks = ("CERT", "KEY") if settings.tls_key is None else ("KEY", "CERT")
            problems.append(f"{PREFIX}TLS_{lacks}: is missing; {PREFIX}TLS_{has} is of no use without it")
        elif not settings.loopback and not settings.tls and not settings.insecure_bind:
            problems.append(f"{PREFIX}HOST={settings.host!r}: {PLAIN_HTTP}")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _read(dotenv: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(dotenv, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{dotenv}: cannot be read: {error}") from error


def _unknown(name: str, names: Mapping[str, str]) -> str:
    endings = [known.removeprefix(PREFIX) for known in names if known.startswith(PREFIX)]
    near = difflib.get_close_matches(name[len(PREFIX) :].upper(), endings, n=3, cutoff=0.5)
    choices = (
        f"did you mean {' or '.join(PREFIX + ending for ending in near)}?" if near else f"have: {', '.join(names)}"
    )
    return f"{name}: no such setting, {choices}"


def _wrong(detail: ErrorDetails) -> str:
    field, *inside = detail["loc"]
    name = UNPREFIXED.get(str(field), PREFIX + str(field).upper())
    value = "" if field in SECRET else f"={detail['input']!r}"
    where = f" at {'.'.join(map(str, inside))}" if field in SECRET and inside else ""
    return f"{name}{value}{where}: {detail['msg'].removeprefix('Value error, ')}"
