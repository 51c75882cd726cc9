"""Who is asking, and may they: tokens, cookies, subprotocols, roles, and how each refusal is answered."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from server import access as module
from server.access import Access, add_access
from server.logs import configure
from server.middleware import add_middlewares
from server.origin import AccessPolicy
from server.principal import PRINCIPAL
from server.roles import Role
from server.routes import access as routes
from server.tokens import LOGIN_S, Tokens
from server.tries import ADDRESS_BURST, Tries

NODE = "0198a1b2-0000-7000-8000-0123456789ab"
COOKIE = "vedette-0123456789ab"
CONSOLE = "http://localhost:3000"
PROXIED = "https://camera.lan"
DONE = web.AppKey("done", list[str])
"""Paths of routes that ran."""
ACCESS = web.AppKey("access", Access)
NEEDS = {"/look": Role.VIEWER, "/run": Role.OPERATOR, "/own": Role.ADMIN}

Client = TestClient[web.Request, web.Application]
Serve = Callable[..., Awaitable[Client]]


async def do(request: web.Request) -> web.Response:
    request.app[DONE].append(request.path)
    principal = request.get(PRINCIPAL)
    return web.json_response(None if principal is None else [principal.name, principal.role.word])


async def socket(request: web.Request) -> web.WebSocketResponse:
    """As /ws/stream begins: accepted first, then closed with 4401 when it is nobody's."""
    response = web.WebSocketResponse(protocols=("vedette.v1",))
    await response.prepare(request)
    principal = await request.app[ACCESS].who(request)
    if principal is None:
        await response.close(code=4401)
        return response
    await response.send_str(principal.name)
    revoked = request.app[ACCESS].until_revoked(principal)
    over = {asyncio.ensure_future(revoked), asyncio.ensure_future(response.receive())}
    try:
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in over:
            each.cancel()
    await response.close(code=4401)
    return response


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
async def serve(tokens: Tokens) -> AsyncIterator[Serve]:
    clients: list[Client] = []

    async def start(*, host: str = "127.0.0.1", always: bool = False) -> Client:
        app = web.Application()
        access = Access(tokens, Tries(), node=NODE, loopback=host == "127.0.0.1", always=always)
        app[DONE], app[ACCESS] = [], access
        add_middlewares(app, AccessPolicy(host, frozenset({"camera.lan"}), frozenset({CONSOLE, PROXIED})))
        add_access(app, access, lambda request: NEEDS.get(request.path))
        routes.add_routes(app, access)
        for path in (*NEEDS, "/open"):
            app.router.add_route("*", path, do)
        app.router.add_get("/socket", socket)
        made: Client = TestClient(TestServer(app))
        await made.start_server()
        clients.append(made)
        return made

    yield start
    for each in clients:
        await each.close()


@pytest.fixture
async def locked(serve: Serve) -> Client:
    """A server that asks everybody for a token."""
    return await serve(always=True)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def protocol_of(secret: str) -> str:
    return "bearer." + base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")


async def refusal(response: Any) -> tuple[int, str]:
    return response.status, (await response.json())["error"]["code"]


# Where a token is needed


async def test_on_this_machine_everything_may_be_done_without_a_token(serve: Serve) -> None:
    """Bound to loopback and addressed as that: an admin without a name."""
    client = await serve()
    for path in NEEDS:
        assert (await client.get(path)).status == 200
    assert await (await client.get("/access")).json() == {"needed": False, "role": "admin", "name": None}


@pytest.mark.parametrize("settings", [{"always": True}, {"host": "0.0.0.0"}])
async def test_elsewhere_and_on_demand_nothing_is(serve: Serve, settings: dict[str, Any]) -> None:
    """Without a token: 401 with a challenge and the envelope, and nothing happens; what is open stays open."""
    client = await serve(**settings)
    for path in NEEDS:
        response = await client.post(path)
        assert await refusal(response) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="vedette"'
    assert client.app[DONE] == []
    assert (await client.get("/open")).status == 200
    assert await (await client.get("/access")).json() == {"needed": True, "role": None, "name": None}


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"Host": "camera.lan"}],
)
async def test_what_a_proxy_passes_on_needs_a_token(serve: Serve, tokens: Tokens, headers: dict[str, str]) -> None:
    """The proxy is on this machine; whoever sent it may be anywhere."""
    client = await serve()
    assert (await client.get("/look", headers=headers)).status == 401
    _, secret = tokens.create("me", Role.VIEWER)
    assert (await client.get("/look", headers={**headers, **bearer(secret)})).status == 200


# Roles


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_may_do_what_it_and_those_below_it_may(locked: Client, tokens: Tokens, role: Role) -> None:
    """Everything else is 403, says what is needed, and nothing happens."""
    _, secret = tokens.create("me", role)
    for path, needed in NEEDS.items():
        response = await locked.post(path, headers=bearer(secret))
        if role >= needed:
            assert await response.json() == ["me", role.word]
        else:
            assert await refusal(response) == (403, "forbidden")
            message = (await response.json())["error"]["message"]
            assert message == f"this needs the role {needed.word}; the token 'me' has {role.word}"
    assert locked.app[DONE] == [path for path, needed in NEEDS.items() if role >= needed]


async def test_a_known_token_counts_where_none_is_needed_and_an_unknown_one_does_not(
    serve: Serve, tokens: Tokens
) -> None:
    """A viewer's token is a viewer's here, too; `Bearer undefined` of some players is nothing."""
    client = await serve()
    _, secret = tokens.create("me", Role.VIEWER)
    assert await (await client.get("/look", headers=bearer(secret))).json() == ["me", "viewer"]
    assert (await client.get("/own", headers=bearer(secret))).status == 403
    for _ in range(ADDRESS_BURST + 1):
        assert (await client.get("/own", headers=bearer("undefined"))).status == 200


# Tokens


async def test_tokens_that_others_make_and_revoke_count_at_once(locked: Client, tokens: Tokens) -> None:
    """`vedette token` is another process: the next request knows."""
    for _ in range(3):
        _, secret = tokens.create("me", Role.VIEWER)
        assert (await locked.get("/look", headers=bearer(secret))).status == 200
        tokens.revoke("me")
        assert await refusal(await locked.get("/look", headers=bearer(secret))) == (401, "unauthorized")


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "bearer x", "Basic dXNlcjpwYXNz", "Bearer \xff\xfe", "Bearer a b", f"Bearer {'x' * 5000}"],
)
async def test_what_is_no_token_is_unauthorized(locked: Client, tokens: Tokens, value: str) -> None:
    """Also what is empty, endless, or not text."""
    tokens.create("me", Role.ADMIN)
    assert await refusal(await locked.get("/look", headers={"Authorization": value})) == (401, "unauthorized")


async def test_a_damaged_file_lets_nobody_in(locked: Client, tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    """Not even who was let in before; the log says what is wrong, the answer does not."""
    _, secret = tokens.create("me", Role.ADMIN)
    assert (await locked.get("/look", headers=bearer(secret))).status == 200
    tokens.path.write_text("{")
    response = await locked.get("/look", headers=bearer(secret))
    assert await refusal(response) == (500, "internal")
    assert "tokens.json" not in await response.text()
    assert "tokens.json is damaged" in caplog.text
    assert locked.app[DONE] == ["/look"]


# Browsers


async def test_a_browser_signs_in_and_out(locked: Client, tokens: Tokens) -> None:
    """The cookie is not the token, scripts cannot read it, and after signing out it is worth nothing."""
    _, secret = tokens.create("me", Role.OPERATOR)
    own = {"Origin": f"http://127.0.0.1:{locked.port}"}
    response = await locked.post("/login", json={"token": secret}, headers=own)
    assert await response.json() == {"needed": True, "role": "operator", "name": "me"}
    cookie = response.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
    assert int(cookie["max-age"]) == LOGIN_S
    assert cookie.value != secret
    assert (await locked.get("/look", headers=bearer(cookie.value))).status == 401
    assert await (await locked.get("/run")).json() == ["me", "operator"]
    assert await (await locked.get("/access")).json() == {"needed": True, "role": "operator", "name": "me"}
    kept = {"Cookie": f"{COOKIE}={cookie.value}"}
    assert (await locked.post("/logout")).status == 204
    assert not list(locked.session.cookie_jar)
    assert (await locked.get("/look")).status == 401
    assert (await locked.get("/look", headers=kept)).status == 401
    assert (await locked.post("/logout", headers=kept)).status == 204


async def test_behind_https_the_cookie_is_secure(locked: Client, tokens: Tokens) -> None:
    """A proxy speaks https for the server: the page's own address tells."""
    _, secret = tokens.create("me", Role.VIEWER)
    response = await locked.post("/login", json={"token": secret}, headers={"Host": "camera.lan", "Origin": PROXIED})
    assert response.cookies[COOKIE]["secure"] is True


async def test_revoking_signs_out(locked: Client, tokens: Tokens) -> None:
    """The browser is told to throw its cookie away, so that it tries once and not at every request."""
    _, secret = tokens.create("me", Role.ADMIN)
    await locked.post("/login", json={"token": secret})
    assert (await locked.get("/look")).status == 200
    tokens.revoke("me")
    response = await locked.get("/look")
    assert await refusal(response) == (401, "unauthorized")
    assert response.cookies[COOKIE]["max-age"] == "0"
    assert not list(locked.session.cookie_jar)


async def test_a_sign_in_ends_after_its_time(locked: Client, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty days later the cookie that somebody kept is worth nothing."""
    _, secret = tokens.create("me", Role.ADMIN)
    kept = (await locked.post("/login", json={"token": secret})).cookies[COOKIE].value
    later = time.time() + LOGIN_S + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert (await locked.get("/look", headers={"Cookie": f"{COOKIE}={kept}"})).status == 401


async def test_signing_in_again_ends_the_sign_in_before(locked: Client, tokens: Tokens) -> None:
    """One browser is one person at a time."""
    _, secret = tokens.create("me", Role.ADMIN)
    first = (await locked.post("/login", json={"token": secret})).cookies[COOKIE].value
    await locked.post("/login", json={"token": secret})
    assert len(tokens.read().logins) == 1
    locked.session.cookie_jar.clear()
    assert (await locked.get("/look", headers={"Cookie": f"{COOKIE}={first}"})).status == 401


async def test_a_page_of_another_site_cannot_sign_in_or_out(locked: Client, tokens: Tokens) -> None:
    """Neither by script nor by form, which cannot send JSON."""
    _, secret = tokens.create("me", Role.ADMIN)
    foreign = {"Origin": "http://evil.example"}
    assert (await locked.post("/login", json={"token": secret}, headers=foreign)).status == 403
    assert (await locked.post("/logout", headers=foreign)).status == 403
    assert (await locked.post("/login", data={"token": secret})).status == 415
    assert not list(locked.session.cookie_jar)


async def test_the_console_of_another_port_signs_in_with_credentials(locked: Client, tokens: Tokens) -> None:
    """NEXT_PUBLIC_API_BASE: its origin is named, credentials are allowed for it, and its cookie counts."""
    _, secret = tokens.create("me", Role.ADMIN)
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    preflight = await locked.options("/login", headers={"Origin": CONSOLE, **ask})
    assert (preflight.status, preflight.headers["Access-Control-Allow-Credentials"]) == (204, "true")
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for response in (
        await locked.get("/look", headers={"Origin": CONSOLE}),  # a refusal must be readable, too
        await locked.post("/login", json={"token": secret}, headers={"Origin": CONSOLE}),
        await locked.get("/look", headers={"Origin": CONSOLE}),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == CONSOLE
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        status = response.status
    assert status == 200
    assert "Access-Control-Allow-Credentials" not in (await locked.get("/look")).headers


# Failed tries


async def test_too_many_unknown_tokens_are_rate_limited(locked: Client, tokens: Tokens) -> None:
    """By header, by cookie and at /login alike; then even a right one has to wait, unless it was right here before."""
    _, known = tokens.create("known", Role.ADMIN)
    _, fresh = tokens.create("fresh", Role.ADMIN)
    assert (await locked.get("/look", headers=bearer(known))).status == 200
    tries: list[Callable[[], Awaitable[Any]]] = [
        lambda: locked.get("/look", headers=bearer("vdt_wrong")),
        lambda: locked.get("/look", headers={"Cookie": f"{COOKIE}=wrong"}),
        lambda: locked.post("/login", json={"token": "wrong"}),
    ]
    for number in range(ADDRESS_BURST):
        assert (await tries[number % 3]()).status == 401
    for attempt in tries:
        response = await attempt()
        assert await refusal(response) == (429, "rate_limited")
        assert 1 <= int(response.headers["Retry-After"]) <= 6
    assert (await locked.get("/look", headers=bearer(fresh))).status == 429
    assert (await locked.post("/login", json={"token": fresh})).status == 429
    assert (await locked.get("/look", headers=bearer(known))).status == 200
    assert (await locked.get("/look")).status == 401  # who has none has not tried


# Sockets


@pytest.mark.parametrize("how", ["header", "subprotocol", "cookie"])
async def test_a_socket_is_let_in_by_header_subprotocol_or_cookie(locked: Client, tokens: Tokens, how: str) -> None:
    """A browser's second subprotocol carries its token, and is not echoed."""
    _, secret = tokens.create("me", Role.VIEWER)
    headers, protocols = {}, ["vedette.v1"]
    if how == "header":
        headers = bearer(secret)
    elif how == "subprotocol":
        protocols.append(protocol_of(secret))
    else:
        await locked.post("/login", json={"token": secret})
    opened = await locked.ws_connect("/socket", headers=headers, protocols=protocols)
    assert opened.protocol == "vedette.v1"
    assert await opened.receive_str(timeout=5) == "me"
    await opened.close()


@pytest.mark.parametrize("protocol", [None, "bearer.", "bearer.!!!", "bearer.dmR0X3dyb25n", "bearer.gA"])
async def test_a_socket_with_a_bad_token_or_none_is_nobodys(
    locked: Client, tokens: Tokens, protocol: str | None
) -> None:
    """The route accepts it and closes it with 4401, since a page cannot read an HTTP 401."""
    tokens.create("me", Role.VIEWER)
    opened = await locked.ws_connect("/socket", protocols=["vedette.v1", *([protocol] if protocol else [])])
    message = await opened.receive(timeout=5)
    assert (message.type.name, message.data) == ("CLOSE", 4401)
    await opened.close()


async def test_an_open_socket_learns_that_its_token_was_revoked(
    locked: Client, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stays open after it was let in ends with the token."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    _, secret = tokens.create("me", Role.VIEWER)
    opened = await locked.ws_connect("/socket", headers=bearer(secret))
    assert await opened.receive_str(timeout=5) == "me"
    tokens.revoke("me")
    assert (await opened.receive(timeout=4)).data == 4401
    await opened.close()


# Secrets


@pytest.mark.parametrize("kind", ["json", "console"])
async def test_no_token_reaches_a_log_or_an_answer(locked: Client, tokens: Tokens, kind: Any) -> None:
    """However it is sent, also where it does not belong; nor does a cookie's value."""
    stream = io.StringIO()
    restore = configure(kind, "debug", stream)
    try:
        _, secret = tokens.create("me", Role.VIEWER)
        wrong = "vdt_" + "W" * 43
        answers = []
        for each in (secret, wrong):
            encoded = protocol_of(each).removeprefix("bearer.")
            for attempt in (
                locked.post("/own", headers=bearer(each)),
                locked.get("/own", params={"token": each, "q": each}),
                locked.get(f"/{each}", headers={"X-Request-Id": each}),
                locked.post("/login", json={"token": [each]}),
                locked.post("/login", json={each: 1}),
                locked.post("/login", data=each, headers={"Content-Type": each}),
                locked.post("/login", json={"token": each}),
                locked.get("/own", headers=CIMultiDict({"Sec-WebSocket-Protocol": f"bearer.{encoded}"})),
            ):
                response = await attempt
                answers.append(await response.text())
            with suppress(Exception):
                # No protocol that is known: aiohttp's own logger repeats what was offered.
                await (await locked.ws_connect("/socket", protocols=[f"bearer.{encoded}"])).close()
        value = (await locked.post("/login", json={"token": secret})).cookies[COOKIE].value
        await locked.get("/own")
        logging.getLogger("x").warning("a token %s and %s", secret, encoded)
    finally:
        restore()
    said = stream.getvalue() + "".join(answers)
    assert "a token *** and ***" in said
    assert "overlap" in said
    for each in (secret, wrong):
        assert each not in said
        assert each[4:] not in said
        assert protocol_of(each).removeprefix("bearer.") not in said
    assert value not in said
