"""The hooks on aiortc and aioice fit what is installed."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.tracks.edges.peers import peer
from tracks import edges


@pytest.mark.parametrize("package", edges.VERSIONS)
def test_the_hooks_fit_what_is_installed(package: str) -> None:
    """The hooks were written against the versions that are installed; after an upgrade, look at each of them again."""
    assert version(package) == edges.VERSIONS[package]


async def test_every_private_name_is_there() -> None:
    """aiortc 1.16.0, aioice 0.13.0: each private attribute that a hook uses exists under its name."""
    pc = peer()
    try:
        pc.createDataChannel("events")
        transceiver = pc.addTransceiver("video")
        mangled = {
            pc: ("iceTransports", "dtlsTransports", "isClosed", "createDtlsTransport"),
            transceiver.sender: ("rtp_task", "rtcp_task"),
            transceiver.receiver: (
                *("codecs", "decoder_queue", "decoder_error", "decoder_thread", "jitter_buffer", "kind", "rtcp_task"),
                *("remote_streams", "rtx_ssrc", "started", "stop_decoder", "timestamp_mapper"),
            ),
        }
        for owner, names in mangled.items():
            for name in names:
                assert hasattr(owner, f"_{type(owner).__name__}__{name}"), name
        for owner, names in {
            transceiver: ("_offerDirection",),
            transceiver.sender: ("_send_keyframe",),
            transceiver.receiver: ("_track", "_handle_rtcp_packet", "_send_rtcp_pli"),
            transceiver.receiver.transport.transport: ("_connection",),
            transceiver.receiver.transport.transport._connection: (
                *("_check_list", "_nominated", "_protocols", "_queue", "_closing", "_remote_candidates"),
                *("data_received", "request_received", "get_component_candidates", "get_event", "add_remote_candidate"),
            ),
        }.items():
            for name in names:
                assert hasattr(owner, name), name
    finally:
        await edges.close_peer(pc)
