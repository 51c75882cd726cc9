"""`/login`, `/logout`, `/access`: signing a browser in and out, and who is asking."""

from __future__ import annotations

from aiohttp import hdrs, web
from pydantic import Field

from tracks.events import Model

from ..access import Access
from ..api import Answer, JsonBody, Reply, Route, declare, example, given, reply
from ..principal import LOCAL, Principal
from ..roles import RoleWord

TAG = "access"


class SignIn(Model):
    """A token."""

    model_config = example(token="vdt_IwSlM…")

    token: str = Field(repr=False)


class AccessReply(Reply):
    """Who is asking."""

    model_config = example(needed=True, role="operator", name="kitchen")

    needed: bool
    """Whether nothing can be done here without a token."""
    role: RoleWord | None
    """What whoever asks may do; null: nothing."""
    name: str | None
    """Of the token; null without one."""


def add_routes(app: web.Application, access: Access) -> None:
    """Sign in with a token, sign out, and tell who is asking."""

    async def log_in(request: web.Request) -> web.Response:
        principal, value = await access.log_in(request, given(request, SignIn).token.strip())
        response = answer(request, principal)
        access.set_cookie(request, response, value)
        return response

    async def log_out(request: web.Request) -> web.Response:
        await access.log_out(request)
        response = web.Response(status=204)
        access.forget_cookie(response)
        return response

    async def show(request: web.Request) -> web.Response:
        return answer(request, await access.who(request))

    def answer(request: web.Request, principal: Principal | None) -> web.Response:
        body = AccessReply(
            needed=access.needs_token(request),
            role=None if principal is None else principal.role.word,
            name=None if principal is None or principal is LOCAL else principal.name,
        )
        return reply(body, headers={hdrs.CACHE_CONTROL: "no-store"})

    declare(
        app,
        Route(
            "POST",
            "/login",
            log_in,
            "Sign a browser in",
            TAG,
            None,
            (Answer(200, "Who that is.", AccessReply, headers={"Set-Cookie": "Good for 30 days."}),),
            body=JsonBody(SignIn),
            errors=("unauthorized", "rate_limited"),
            description="The cookie holds no token, and is over when it is revoked. Programs send the token itself.",
        ),
        Route("POST", "/logout", log_out, "Sign it out", TAG, None, (Answer(204, "It is."),)),
        Route(
            "GET",
            "/access",
            show,
            "See who is asking",
            TAG,
            None,
            (Answer(200, "Who that is.", AccessReply),),
            query=None,
            errors=("rate_limited",),
        ),
    )
