"""URLs of cameras: taken apart, held against the list of schemes, and told to others without their credentials."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

from ..errors import ForbiddenUrl, InvalidRequest

PORTS: Mapping[str, int] = {"rtsp": 554, "rtsps": 322}
"""Schemes that are known here, and their ports (RFC 7826, section 22.14)."""
MAX_CHARS = 2048
HIDDEN = "***"
"""Stands for credentials."""

_SECRET_PARAMETER = re.compile(
    r"(?i)(?<=[?&;])((?:access_|auth_)?(?:token|key|api_?key|auth|user|usr|username|password|passwd|pass|pwd|secret|signature"
    r"|loginuse|loginpas)=)[^&;#]*"
)
"""Cameras take credentials as parameters, too: `?user=admin&password=secret`."""
_ENCODE = "in a password, write / as %2F, ? as %3F, # as %23, @ as %40"
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """Where a camera is, and who we are to it. Only `text` has the credentials."""

    scheme: str
    host: str
    """Lower case, without the brackets of an IPv6 address."""
    port: int
    path: str = field(repr=False)
    """With the query; as it was given."""
    username: str | None = field(default=None, repr=False)
    """Decoded; None where the URL has no user information."""
    password: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """Host and port, the port only where it is not that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def bare(self) -> str:
        """The URL without user information, as it is sent to the camera."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def text(self) -> str:
        """The URL with everything: to be stored, and shown to nobody."""
        if self.username is None:
            return self.bare
        user = quote(self.username, safe="") + (f":{quote(self.password, safe='')}" if self.password else "")
        return f"{self.scheme}://{user}@{self.authority}{self.path}"

    @property
    def redacted(self) -> str:
        """The URL for eyes: without user information, and without the values of parameters that carry credentials."""
        user = "" if self.username is None else f"{HIDDEN}@"
        path = _SECRET_PARAMETER.sub(rf"\g<1>{HIDDEN}", self.path)
        return f"{self.scheme}://{user}{self.authority}{path}"

    def scrub(self, text: str) -> str:
        """A text that a camera may have had a hand in, without what it could know from the URL."""
        for secret in sorted({self.text, self.bare, self.path, *self._secrets()}, key=len, reverse=True):
            if len(secret) > 1:
                text = text.replace(secret, HIDDEN)
        return text

    def _secrets(self) -> Collection[str]:
        given = {self.username or "", self.password, *(value for _, value in self._parameters())}
        return given | {quote(each, safe="") for each in given}

    def _parameters(self) -> Collection[tuple[str, str]]:
        found = _SECRET_PARAMETER.finditer(self.path)
        return [(match[1], match[0][len(match[1]) :]) for match in found]

    def revised(self, before: MediaUrl) -> MediaUrl:
        """This URL, whose hidden parts are those of `before`, as when somebody edits what `redacted` gave.

        They are kept for the same host and port only: credentials must not be sent elsewhere by who cannot read them.
        Raises InvalidRequest when there is nothing that they could stand for.
        """
        hidden_user = self.username == HIDDEN and not self.password
        hidden = dict(self._parameters())
        if not hidden_user and HIDDEN not in hidden.values():
            return self
        if (self.scheme, self.host, self.port) != (before.scheme, before.host, before.port):
            raise InvalidRequest(f"{self.redacted!r} leads elsewhere than before: its credentials must be given anew")
        known = dict(before._parameters())

        def reveal(match: re.Match[str]) -> str:
            value = match[0][len(match[1]) :]
            if value != HIDDEN:
                return match[0]
            if match[1] not in known:
                raise InvalidRequest(f"the value of {match[1][:-1]!r} is not known, it must be given")
            return match[1] + known[match[1]]

        username, password = (before.username, before.password) if hidden_user else (self.username, self.password)
        return replace(self, path=_SECRET_PARAMETER.sub(reveal, self.path), username=username, password=password)


def parse(text: str, schemes: Collection[str] = tuple(PORTS)) -> MediaUrl:
    """A URL of one of these schemes.

    Raises ForbiddenUrl for any other, and InvalidRequest for what is no URL; neither repeats its credentials.
    """
    if len(text) > MAX_CHARS:
        raise InvalidRequest(f"the url has {len(text)} characters, at most {MAX_CHARS} are taken")
    if not _PRINTABLE.fullmatch(text):
        raise InvalidRequest("the url has spaces, control characters or letters beyond ASCII: percent-encode them")
    scheme, found, _ = text.partition("://")
    if not found:
        scheme, _, rest = text.partition(":")
        if not rest or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or "." in scheme or "@" in text:
            raise InvalidRequest(f"the url must begin with {_choices(schemes)}")
    if scheme.lower() not in schemes:
        raise ForbiddenUrl(f"sources of scheme {scheme[:20].lower()!r} are not taken, have: {', '.join(schemes)}")
    if not found:
        raise InvalidRequest(f"the url must begin with {_choices(schemes)}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidRequest(f"the url has a host or a port that is none: {_ENCODE}") from None
    if not host or "%" in host or "\\" in parts.netloc or port == 0:
        raise InvalidRequest(f"the url has no host, or a host or a port that is none: {_ENCODE}")
    user, at, _ = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return MediaUrl(
        scheme.lower(),
        host.rstrip("."),
        port or PORTS[scheme.lower()],
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        unquote(name) if at else None,
        unquote(password),
    )


def _choices(schemes: Collection[str]) -> str:
    return " or ".join(f"{each}://" for each in schemes)
