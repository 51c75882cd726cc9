"""A close that always ends (aiortc 1.16.0)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from typing import Any

from aiortc import RTCPeerConnection

from .receiver import Intake

logger = logging.getLogger(__name__)

PIECE_TIMEOUT_S = 1.0
"""How long one part may take to stop when they are stopped one by one."""


def own_connecting(pc: RTCPeerConnection) -> None:
    """Keep hold of the tasks that connect `pc`, so that `close_peer` can end them. Call on a fresh connection.

    aiortc leaves them to themselves: one that is still at it when the connection is closed starts senders and receivers
    afterwards, which nothing ever stops.
    """
    private: Any = pc
    connect = private._RTCPeerConnection__connect
    connecting: set[asyncio.Task[Any]] = set()

    async def connect_owned() -> None:
        task = asyncio.current_task()
        assert task is not None
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        await connect()

    private._RTCPeerConnection__connect = connect_owned
    private._vedette_connecting = connecting


async def close_peer(pc: RTCPeerConnection, timeout_s: float = 5.0) -> None:
    """Close `pc` within `timeout_s` and a few seconds, whatever state it is in, and leave no socket, thread or task.

    `RTCPeerConnection.close` raises when a transceiver has no transport (an offer without mid), a second one then
    waits for ever, and both wait for tracks that do not let go. Safe to call again, also at the same time.
    """
    private: Any = pc
    connecting: set[asyncio.Task[Any]] = getattr(private, "_vedette_connecting", set())
    for task in connecting:
        task.cancel()
    if connecting:
        await asyncio.wait(connecting, timeout=PIECE_TIMEOUT_S)
    for receiver in pc.getReceivers():
        buffer = getattr(receiver, "_RTCRtpReceiver__jitter_buffer", None)
        if isinstance(buffer, Intake):
            buffer.clear()
    closing = asyncio.create_task(pc.close())
    try:
        await asyncio.wait({closing}, timeout=timeout_s)
    finally:
        if not closing.done():
            closing.cancel()
    problem = None if closing.cancelled() or not closing.done() else closing.exception()
    if not closing.done() or problem is not None:
        logger.debug("close of a peer connection failed or hung: %r", problem)
        await _stop_pieces(private)
        await asyncio.wait({closing}, timeout=PIECE_TIMEOUT_S)
    # The decoders' threads told their tracks that they end, and the DTLS tasks were cancelled: let that happen.
    for _ in range(3):
        await asyncio.sleep(0)


async def _stop_pieces(pc: Any) -> None:
    """Stop every part of a peer connection by itself."""
    ice = set(pc._RTCPeerConnection__iceTransports)
    dtls = set(pc._RTCPeerConnection__dtlsTransports)
    for transceiver in pc.getTransceivers():
        await _settle([transceiver.sender.stop(), transceiver.receiver.stop()])
        for task in (
            transceiver.sender._RTCRtpSender__rtp_task,
            transceiver.sender._RTCRtpSender__rtcp_task,
            transceiver.receiver._RTCRtpReceiver__rtcp_task,
        ):
            if task is not None:
                task.cancel()
        # A receiver without a transport raises before it stops its decoder.
        transceiver.receiver._RTCRtpReceiver__stop_decoder()
        if transceiver.receiver.transport is not None:
            dtls.add(transceiver.receiver.transport)
    if pc.sctp is not None:
        if pc.sctp.transport is not None:
            dtls.add(pc.sctp.transport)
        await _settle([pc.sctp.stop()])
    ice |= {transport.transport for transport in dtls}
    await _settle([transport.stop() for transport in dtls])
    await _settle([transport.stop() for transport in ice])
    # Ends everybody who waits in close(), now and later.
    closed = pc._RTCPeerConnection__isClosed
    if closed is not None and not closed.done():
        closed.set_result(True)
    pc.remove_all_listeners()


async def _settle(stops: Iterable[Awaitable[None]]) -> None:
    """Wait for each, for a limited time, and go on whatever happens."""
    limited = (asyncio.wait_for(stop, PIECE_TIMEOUT_S) for stop in stops)
    for outcome in await asyncio.gather(*limited, return_exceptions=True):
        if isinstance(outcome, Exception):
            logger.debug("part of a peer connection did not stop: %r", outcome)
