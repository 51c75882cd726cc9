"""Consent to send, which a peer gives by answering (RFC 7675; aioice 0.13.0)."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

from aioice import Connection
from aioice.stun import TransactionError
from aiortc import RTCPeerConnection

from .connections import each_connection

logger = logging.getLogger(__name__)

CONSENT_S = 30.0
"""A peer that has answered no check for so long has gone (RFC 7675, 5.1)."""
CHECK_EVERY_S = 5.0


def limit_consent(pc: RTCPeerConnection, *, expires_s: float = CONSENT_S, every_s: float = CHECK_EVERY_S) -> None:
    """Close the ICE connections of `pc` when a peer has not answered for `expires_s`. Call before they connect.

    aioice counts six checks that failed, which takes up to 39 s.
    """

    def limit(connection: Connection) -> None:
        private: Any = connection

        async def query_consent() -> None:
            answered_s = time.monotonic()
            while True:
                left_s = answered_s + expires_s - time.monotonic()
                # Between 0.8 and 1.2 times the interval, as RFC 7675 wants it.
                await asyncio.sleep(max(0.0, min(left_s, every_s * (0.8 + 0.4 * random.random()))))
                for pair in tuple(private._nominated.values()):
                    request = private.build_request(pair, nominate=False)
                    key = private.remote_password.encode()
                    try:
                        await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
                        answered_s = time.monotonic()
                    except TransactionError:
                        pass
                if time.monotonic() - answered_s >= expires_s:
                    logger.debug("%s: consent has expired", connection)
                    private._query_consent_task = None  # close() would wait for it: for this one
                    await connection.close()
                    return

        private.query_consent = query_consent

    each_connection(pc, limit)
