"""`/login`, `/logout`, `/access`: signing a browser in and out, and who is asking."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web
from pydantic import Field

from tracks.events import Model

from ..access import Access, Principal
from ..middleware import read_json

MAX_BYTES = 4096


class Login(Model):
    """Body of `POST /login`."""

    token: str = Field(repr=False)


def add_routes(app: web.Application, access: Access) -> None:
    """Sign in with a token, sign out, and tell who is asking. None of them needs a token."""

    async def log_in(request: web.Request) -> web.Response:
        body = await read_json(request, Login, MAX_BYTES)
        principal, value = await access.log_in(request, body.token.strip())
        response = _answer(principal, needed=access.needs_token(request))
        access.set_cookie(request, response, value)
        return response

    async def log_out(request: web.Request) -> web.Response:
        await access.log_out(request)
        response = web.Response(status=204)
        access.forget_cookie(response)
        return response

    async def show(request: web.Request) -> web.Response:
        return _answer(await access.who(request), needed=access.needs_token(request))

    app.router.add_post("/login", log_in)
    app.router.add_post("/logout", log_out)
    app.router.add_get("/access", show)


def _answer(principal: Principal | None, *, needed: bool) -> web.Response:
    body: dict[str, Any] = {
        "needed": needed,
        "role": None if principal is None else principal.role.word,
        "name": None if principal is None or principal.token_id is None else principal.name,
    }
    return web.json_response(body, headers={hdrs.CACHE_CONTROL: "no-store"})
