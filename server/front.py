"""aiohttp's server, where it answers by itself: what never becomes a request is refused in the envelope, too.

Written against aiohttp 3.14.5, which answers that with bare text, repeats what came, and logs a stack for it.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from tracks.errors import InvalidRequest, VedetteError
from tracks.events.envelope import new_id

from .envelope import Failure
from .origin import SECURITY_HEADERS

logger = logging.getLogger(__name__)

TOO_LONG = "the URL or a header is too long"
UNREADABLE = "this is no HTTP request that can be understood"


class _Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what aiohttp could not read; nothing of it is repeated, as a token may be in it."""
        if request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        if status >= 500:
            error = VedetteError("something went wrong in the server; its log says what")
            logger.error("an answer could not be given", exc_info=exc)
        else:
            error = InvalidRequest(TOO_LONG if isinstance(exc, LineTooLong) else UNREADABLE)
            logger.info("%s: %s", request.remote, error.message)
        response = Failure(error.status, error.body()).response()
        response.headers.update({**SECURITY_HEADERS, "X-Request-Id": new_id()})
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application behind that server."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=asyncio.get_running_loop(),
            **made._kwargs,
        )
