"""Who is asking, and may they: tokens, sign-ins of browsers, and the role that a route needs.

Host and Origin are checked before (`origin.py`). Where the server is bound to loopback, whoever gets past them is
somebody on this machine and needs no token; everywhere else one is needed, and `VEDETTE_AUTH=always` asks for one here,
too. So does a request that a proxy passed on, or that is addressed to another name than loopback's: whoever sent it may
be anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from aiohttp import hdrs, web

from tracks.errors import NotFound, VedetteError

from .middleware import Handler
from .origin import Forbidden, names_loopback
from .principal import LOCAL, PRINCIPAL, Principal
from .roles import Role
from .tokens import LOGIN_S, Book, Token, Tokens, digest_of
from .tries import Tries

PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
"""What proxies add (RFC 7239, and what was there before it)."""
BEARER_PROTOCOL = "bearer."
"""WebSocket subprotocol of browsers, which cannot set headers: followed by the token, base64url without padding."""

TOKEN_IN_QUERY = ("/whip", "/whep")
"""Ends of paths where `?token=` is taken: WHIP and WHEP clients may be unable to set headers. Logs never show it."""
NO_TOKENS = ("", "undefined", "null")
"""What scripts send that have none (@eyevinn/whip-web-client 1.1.7)."""

LOOK_EVERY_S = 1.0
NO_TOKEN = "a token is needed here: send Authorization: Bearer TOKEN, or sign in on the page"
NOT_KNOWN = "this token is not known here; it may have been revoked"

RoleOf = Callable[[web.Request], Role | None]
"""The lowest role that a request needs; None for what is open to everybody."""


class Unauthorized(VedetteError):
    """A token is needed, and none was given or it is not known."""

    code = "unauthorized"


_STALE = web.RequestKey("stale", bool)


@dataclass(frozen=True, slots=True)
class _Given:
    """A secret that came with a request, and how; only its hash is kept."""

    kind: Literal["token", "login"]
    digest: str


class Access:
    """Tells who is asking. One per server; `node` names it in the cookie, as browsers mix up the ports of a host."""

    def __init__(self, tokens: Tokens, tries: Tries, *, node: str, loopback: bool, always: bool) -> None:
        self.tokens = tokens
        self.cookie = f"vedette-{node[-12:]}"
        self._tries = tries
        self._local = loopback and not always
        self._book = Book()
        self._state: tuple[int, int, int] | None = None
        self._reading = asyncio.Lock()

    def needs_token(self, request: web.Request) -> bool:
        """Whether nobody without a token may do anything here."""
        if not self._local:
            return True
        return any(name in request.headers for name in PASSED_ON) or not names_loopback(request)

    async def who(self, request: web.Request) -> Principal | None:
        """Who is asking; None when a token is needed and there is none, or none that is known.

        A token that is known counts also where none is needed, for its name and its role. Raises RateLimited after too
        many unknown ones.
        """
        given, needed = self._given(request), self.needs_token(request)
        if given is None:
            return None if needed else LOCAL
        book = await self._current()
        if needed:
            self._tries.check(request.remote, given.digest)
        token = _find(book, given)
        if token is not None:
            self._tries.proved(request.remote, given.digest)
            return Principal(token.id, token.role, token.name)
        if given.kind == "login":
            request[_STALE] = True
        if not needed:
            return LOCAL
        self._tries.failed(request.remote, given.digest)
        return None

    async def principal(self, request: web.Request) -> Principal:
        """Who is asking. Raises Unauthorized when that is nobody, and RateLimited."""
        principal = await self.who(request)
        if principal is None:
            raise Unauthorized(NO_TOKEN if self._given(request) is None else NOT_KNOWN)
        return principal

    async def require(self, request: web.Request, role: Role) -> Principal:
        """Who is asking, if they have this role. Raises Unauthorized, Forbidden and RateLimited."""
        principal = await self.principal(request)
        if principal.role < role:
            raise Forbidden(f"this needs the role {role.word}; the token {principal.name!r} has {principal.role.word}")
        return principal

    async def until_revoked(self, principal: Principal) -> None:
        """Returns within a second of the token's being taken back; for what stays open after it was let in."""
        while principal.id in await self.known():  # noqa: ASYNC110 (what changes is a file, of another process)
            await asyncio.sleep(LOOK_EVERY_S)

    async def known(self) -> Collection[str]:
        """Ids of principals that may still be here."""
        return {LOCAL.id, *(token.id for token in (await self._current()).tokens)}

    async def log_in(self, request: web.Request, secret: str) -> tuple[Principal, str]:
        """Sign a browser in with a token, and out of what it was signed in with; returns who that is, and its cookie.

        Raises Unauthorized, and RateLimited after too many unknown ones.
        """
        digest, book = digest_of(secret), await self._current()
        self._tries.check(request.remote, digest)
        token = book.token_of(digest)
        if token is None:
            self._tries.failed(request.remote, digest)
            raise Unauthorized(NOT_KNOWN)
        self._tries.proved(request.remote, digest)
        await self.log_out(request)
        try:
            value = await asyncio.to_thread(self.tokens.log_in, token.id)
        except NotFound:  # revoked meanwhile
            raise Unauthorized(NOT_KNOWN) from None
        return Principal(token.id, token.role, token.name), value

    async def log_out(self, request: web.Request) -> None:
        """End the sign-in of this browser, if there is one."""
        if value := request.cookies.get(self.cookie):
            await asyncio.to_thread(self.tokens.log_out, digest_of(value))

    def set_cookie(self, request: web.Request, response: web.StreamResponse, value: str) -> None:
        """Scripts cannot read it, and no page of another site makes a browser send it."""
        # A proxy in front may speak https for us; the page's own address tells.
        secure = request.secure or request.headers.get(hdrs.ORIGIN, "").startswith("https://")
        response.set_cookie(
            self.cookie, value, max_age=int(LOGIN_S), path="/", httponly=True, samesite="Strict", secure=secure
        )

    def forget_cookie(self, response: web.StreamResponse) -> None:
        """Have the browser throw it away."""
        response.del_cookie(self.cookie, path="/", httponly=True, samesite="Strict")

    async def _current(self) -> Book:
        """The tokens as they are now: one look whether the file is another one, at every request."""
        state = self.tokens.state()
        if state != self._state:
            async with self._reading:
                if state != self._state:
                    self._book = await asyncio.to_thread(self.tokens.read)
                    self._state = state  # of before: a change meanwhile is seen the next time
        return self._book

    def _given(self, request: web.Request) -> _Given | None:
        scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and secret.strip() not in NO_TOKENS:
            return _Given("token", digest_of(secret.strip()))
        if request.path.endswith(TOKEN_IN_QUERY) and (secret := request.query.get("token", "")):
            return _Given("token", digest_of(secret))
        for protocol in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(","):
            if protocol.strip().startswith(BEARER_PROTOCOL):
                return _Given("token", digest_of(_decoded(protocol.strip().removeprefix(BEARER_PROTOCOL))))
        if value := request.cookies.get(self.cookie):
            return _Given("login", digest_of(value))
        return None


def add_access(app: web.Application, access: Access, role_of: RoleOf) -> None:
    """Ask for the role of every route, inside of what `add_middlewares` put around it."""

    @web.middleware
    async def authorise(request: web.Request, handler: Handler) -> web.StreamResponse:
        role = role_of(request)
        if role is not None:
            request[PRINCIPAL] = await access.require(request, role)
        return await handler(request)

    async def forget_stale(request: web.Request, response: web.StreamResponse) -> None:
        # So that a browser whose sign-in is over tries once, not at every request. As a header: aiohttp has made its
        # headers of a response's cookies by now.
        if request.get(_STALE):
            gone = web.Response()
            access.forget_cookie(gone)
            response.headers.add(hdrs.SET_COOKIE, gone.cookies[access.cookie].OutputString())

    app.middlewares.append(authorise)
    app.on_response_prepare.append(forget_stale)


def _find(book: Book, given: _Given) -> Token | None:
    if given.kind == "token":
        return book.token_of(given.digest)
    return book.login_of(given.digest, time.time())


def _decoded(text: str) -> str:
    """The token in a subprotocol; nothing that is known when it is not base64url."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
