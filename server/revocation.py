"""Peers that were let in with a token, and what becomes of them when it is taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from .access import LOOK_EVERY_S, Access
from .session import LiveSession

logger = logging.getLogger(__name__)


async def end_revoked(access: Access, live: Iterable[LiveSession]) -> None:
    """Close every peer within a second of its token's being revoked. Runs until it is cancelled."""
    seen = access.tokens.state()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        state = access.tokens.state()
        if state == seen:
            continue
        try:
            known = await access.known()
        except OSError as error:
            # Every request is refused for the same reason; what runs is left to whoever repairs it.
            logger.error("%s", error)
            continue
        seen = state
        for session in live:
            for peer in tuple(session.clients.peers.values()):
                if peer.owner not in known:
                    peer.close_soon("its token was revoked")
