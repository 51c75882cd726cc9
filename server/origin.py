"""Who may talk to this server from a browser: the Host, Origin and Sec-Fetch-Site checks, and CORS.

A page elsewhere can make a browser send requests here (CSRF), open WebSockets here (no same-origin rule covers them)
and, by pointing its own name at this machine, even read the answers (DNS rebinding). Host ends the last, Origin the
others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

from tracks.errors import VedetteError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?")
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # All ports of a host are one site: the console's development server may show pictures from here.
    "Cross-Origin-Resource-Policy": "same-site",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer, unless the route set its own."""

# What real WHIP and WHEP players send and read across origins (Eyevinn's read Allow-Methods from scripts).
_PREFLIGHT_HEADERS: Mapping[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match, ETag, X-Request-Id, traceparent",
    hdrs.ACCESS_CONTROL_MAX_AGE: "600",
}
_EXPOSED = (
    "Location, ETag, Link, Accept-Patch, Retry-After, WWW-Authenticate, Access-Control-Allow-Methods, X-Request-Id, "
    "Vedette-Session"
)


class Forbidden(VedetteError):
    """The request may not be made: wrong host, wrong origin or not enough rights."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Which Host and Origin headers are taken.

    Hosts are compared without their port. A rebinding page always sends its own name, whatever the port, so a port adds
    nothing; and ignoring it lets port forwards (ssh -L, containers) work. Origins are compared whole: another port of
    localhost is another program.
    """

    bound_host: str
    """The address the server listens on."""
    extra_hosts: frozenset[str] = frozenset()
    """Further names this server is reached by."""
    allowed_origins: frozenset[str] = frozenset()
    """Other origins whose pages may use the API, such as the console's development server."""

    def __post_init__(self) -> None:
        for host in self.extra_hosts:
            if _host_name(host) is None:
                raise ValueError(f"{host!r} is not a host name, expected one like camera.lan")
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin.lower()):
                raise ValueError(f"{origin!r} is not an origin, expected one like http://localhost:3000")
        object.__setattr__(self, "extra_hosts", frozenset(_host_name(host) for host in self.extra_hosts))
        object.__setattr__(self, "allowed_origins", frozenset(_normal(origin) for origin in self.allowed_origins))

    def check(self, request: web.Request) -> None:
        """Raise Forbidden unless Host, and then Origin, are ones that are taken here."""
        self._check_host(request)
        self._check_origin(request)

    def is_allowed_origin(self, request: web.Request) -> bool:
        """True for another origin that was allowed: it gets CORS headers."""
        origin = request.headers.get(hdrs.ORIGIN)
        return origin is not None and _normal(origin) in self.allowed_origins

    def _check_host(self, request: web.Request) -> None:
        given = request.headers.getall(hdrs.HOST, [])
        name = _host_name(given[0]) if len(given) == 1 else None
        if name is None:
            raise Forbidden(f"expected one Host header with a host name, got {_shown(', '.join(given))}")
        bound = self.bound_host.lower().strip("[]")
        if name in LOOPBACK_NAMES or name in self.extra_hosts or name == bound:
            return
        if not _is_loopback(bound) and _address(name) is not None:
            return  # an address cannot be rebound: only a name can be pointed elsewhere
        have = ", ".join(sorted({*LOOPBACK_NAMES, *self.extra_hosts, bound}))
        raise Forbidden(f"host {_shown(name)} is not served here, have: {have}; VEDETTE_ALLOWED_HOSTS allows others")

    def _check_origin(self, request: web.Request) -> None:
        site = request.headers.get("Sec-Fetch-Site")
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if not origins:
            if site == "cross-site" and not _is_navigation(request):
                raise Forbidden("a page of another site may not use this server")
            return
        origin = origins[0]
        if len(origins) == 1:
            if _normal(origin) == _normal(f"{request.scheme}://{request.headers[hdrs.HOST]}"):
                return
            if _normal(origin) in self.allowed_origins:
                return
            # Under `Referrer-Policy: no-referrer` browsers send null even to the page's own server (Fetch, section
            # 3.2, for form posts and beacons). Scripts cannot set Sec-Fetch-Site; no sandboxed frame is same-origin.
            if origin == "null" and site == "same-origin":
                return
        raise Forbidden(
            f"origin {_shown(', '.join(origins))} may not use this server; VEDETTE_ALLOWED_ORIGINS allows others"
        )

    def headers(self, request: web.Request) -> dict[str, str]:
        """CORS headers for the answer to this request; empty unless its origin was allowed."""
        if not self.is_allowed_origin(request):
            return {}
        headers: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: request.headers[hdrs.ORIGIN],
            hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED,
            # For the cookie of a page that is signed in. Only origins that somebody listed get this far.
            hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS: "true",
        }
        if request.method == hdrs.METH_OPTIONS:
            headers.update(_PREFLIGHT_HEADERS)
        return headers


def names_loopback(request: web.Request) -> bool:
    """True when the request is addressed to a name that only this machine has for itself."""
    name = _host_name(request.headers.get(hdrs.HOST, ""))
    return name is not None and _is_loopback(name)


def is_preflight(request: web.Request) -> bool:
    """True for the question that a browser asks before a request across origins (Fetch, section 3.2.2)."""
    return request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers


def _is_navigation(request: web.Request) -> bool:
    """Somebody followed a link from another site to a page here; frames and scripts are told apart by the browser."""
    return (
        request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )


def _host_name(header: str) -> str | None:
    """The host of `host[:port]`, lower case, without brackets; None when it is not one."""
    found = _HOST.fullmatch(header.lower())
    return (found[1] or found[2]) if found else None


def _normal(origin: str) -> str:
    """The origin in lower case without its scheme's own port, as browsers write it (RFC 6454 section 6.2)."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORT.get(origin.partition("://")[0], "\n"))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _shown(value: str) -> str:
    return repr(value[:100])
