"""Who we are to a camera: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2069 without `qop`), as RTSP uses them."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES: Mapping[str, str] = {"md5": "md5", "sha-256": "sha256"}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the camera wants."""

    scheme: str
    """`basic` or `digest`."""
    parameters: Mapping[str, str]


def challenges(headers: Sequence[str]) -> list[Challenge]:
    """Those of its WWW-Authenticate headers that can be answered, the best first."""
    found = []
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        algorithm = parameters.get("algorithm", "md5").lower()
        if (scheme.lower() == "digest" and algorithm in _HASHES) or scheme.lower() == "basic":
            found.append(Challenge(scheme.lower(), parameters))
    strength = {"sha-256": 2, "md5": 1}
    return sorted(
        found,
        key=lambda each: 0 if each.scheme == "basic" else strength[each.parameters.get("algorithm", "md5").lower()],
        reverse=True,
    )


class Identity:
    """User and password, and how the camera wants to be told."""

    def __init__(self, username: str, password: str, nonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        self._username = username
        self._password = password
        self._nonce = nonce
        self._challenge: Challenge | None = None
        self._count = 0

    def challenged(self, headers: Sequence[str]) -> bool:
        """Take up what the camera asks; False when it asks for nothing that is known here."""
        found = challenges(headers)
        self._challenge, self._count = next(iter(found), None), 0
        return self._challenge is not None

    def header(self, method: str, uri: str) -> Mapping[str, str]:
        """The header that goes with a request; none before the camera has asked."""
        if self._challenge is None:
            return {}
        if self._challenge.scheme == "basic":
            token = base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
            return {"Authorization": f"Basic {token}"}
        return {"Authorization": f"Digest {self._digest(self._challenge.parameters, method, uri)}"}

    def _digest(self, asked: Mapping[str, str], method: str, uri: str) -> str:
        algorithm = asked.get("algorithm", "")
        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")

        def hashed(text: str) -> str:
            return hashlib.new(_HASHES[(algorithm or "md5").lower()], text.encode(), usedforsecurity=False).hexdigest()

        who, what = hashed(f"{self._username}:{realm}:{self._password}"), hashed(f"{method}:{uri}")
        said = {"username": self._username, "realm": realm, "nonce": nonce, "uri": uri}
        plain: dict[str, str] = {}
        if "auth" in [each.strip().lower() for each in asked.get("qop", "").split(",")]:
            self._count += 1
            plain = {"qop": "auth", "nc": f"{self._count:08x}"}
            said["cnonce"] = self._nonce()
            said["response"] = hashed(f"{who}:{nonce}:{plain['nc']}:{said['cnonce']}:auth:{what}")
        else:
            said["response"] = hashed(f"{who}:{nonce}:{what}")
        if "opaque" in asked:
            said["opaque"] = asked["opaque"]
        if algorithm:
            plain["algorithm"] = algorithm
        parts = [f'{name}="{_quoted(value)}"' for name, value in said.items()]
        return ", ".join([*parts, *(f"{name}={value}" for name, value in plain.items())])


def _quoted(value: str) -> str:
    return re.sub(r"[\r\n]", "", value).replace("\\", "\\\\").replace('"', '\\"')
