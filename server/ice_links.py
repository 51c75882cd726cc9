"""ICE servers as `Link` headers (RFC 9725, 4.6)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from .settings import IceServer

logger = logging.getLogger(__name__)

_PLAIN = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
"""Printable, and neither `"`, `\\`, `,` nor `;`: clients take the header apart at them, within quotes as well."""


def ice_links(servers: Sequence[IceServer]) -> Sequence[str]:
    """A value for each URL; each goes into a line of its own, as OBS misreads those that are joined.

    In the order that mediamtx's reader expects: rel, username, credential, credential-type. One that would be misread
    is left out, and logged.
    """
    links = []
    for server in servers:
        for url in server.urls:
            if not all(_PLAIN.fullmatch(value or "") for value in (url, server.username, server.credential)):
                logger.warning('ICE server %s is not told to WHIP and WHEP clients: , ; " \\ in it are misread', url)
                continue
            link = f'<{url}>; rel="ice-server"'
            if server.username is not None and server.credential is not None:
                link += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
            links.append(link)
    return links
