"""Whether a port can be listened on, and who does already."""

from __future__ import annotations

import json
import os
import socket

from aiohttp import ClientError, ClientSession, ClientTimeout

from .words import url_of

ANSWER_S = 3.0
ANSWER_BYTES = 1 << 16
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where what listens everywhere can be asked."""


def bind_problem(host: str, port: int) -> OSError | None:
    """What the server would be told when it listens there; None when nothing is in the way. Blocking."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as listener:
                if os.name == "posix":  # as asyncio does; elsewhere it would let two listen
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind(address)
                listener.listen(1)
    except OSError as error:
        return error
    return None


async def is_vedette(host: str, port: int, *, tls: bool = False) -> bool:
    """Whether what listens there answers like a Vedette server, as far as it does without a token."""
    url = f"{url_of(WILDCARDS.get(host, host), port, tls=tls)}/access"
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=ANSWER_S)) as http,
            # Its certificate need not be this address's, and nothing secret is sent.
            http.get(url, allow_redirects=False, ssl=False) as response,
        ):
            body = json.loads(await response.content.read(ANSWER_BYTES))
    except (ClientError, TimeoutError, ValueError):
        return False
    return isinstance(body, dict) and {"needed", "role"} <= body.keys()
