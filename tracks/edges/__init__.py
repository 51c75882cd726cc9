"""aiortc's edges: everything here touches private attributes of aiortc and aioice, and nothing outside does.

connections  finds the ICE connections of a peer connection, also those that are made later
candidates   which local addresses are gathered, which remote candidates are taken
datagrams    the guard in front of every UDP socket
receiver     jitter buffer, decoder queue, sender reports, keyframe requests to the publisher
sender       RTP origin, keyframes for the viewers
consent      a peer that does not answer any more is gone within 30 s
close        a close that always ends

The versions that all this was written against are in `VERSIONS`; the tests compare them with what is installed and
check every private name, so an upgrade fails in one place.
"""

from __future__ import annotations

from collections.abc import Mapping

from .candidates import LOOPBACK_ONLY, MAX_REMOTE_CANDIDATES, admit_candidates, restrict_gathering
from .close import close_peer, own_connecting
from .connections import offered_direction
from .consent import limit_consent
from .datagrams import guard_datagrams
from .receiver import Intake, on_b_frame, on_sender_report, send_pli, source_rtp_time, tune_receiver
from .sender import request_keyframe, sender_rtp_origin

VERSIONS: Mapping[str, str] = {"aiortc": "1.16.0", "aioice": "0.13.0"}
"""What the hooks were written against."""

__all__ = [
    "LOOPBACK_ONLY",
    "MAX_REMOTE_CANDIDATES",
    "VERSIONS",
    "Intake",
    "admit_candidates",
    "close_peer",
    "guard_datagrams",
    "limit_consent",
    "offered_direction",
    "on_b_frame",
    "on_sender_report",
    "own_connecting",
    "request_keyframe",
    "restrict_gathering",
    "send_pli",
    "sender_rtp_origin",
    "source_rtp_time",
    "tune_receiver",
]
