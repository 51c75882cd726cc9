"""One WebRTC peer of a session: negotiated from an offer, watched while it lives, closed in a way that always ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
)

from tracks import edges
from tracks.errors import Conflict, Overloaded
from tracks.stats import Stats

from .channel import Controlled, EventChannels
from .sdp import MAX_CANDIDATES, apply_offer
from .terms import PageTerms, Terms

logger = logging.getLogger(__name__)

DRAIN_S = 0.5
"""How long a peer that is closed from here may take to receive its last events."""


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """How peers connect."""

    ice_servers: Sequence[RTCIceServer] = ()
    """STUN and TURN servers; none means that nothing outside is asked."""
    hosts: Sequence[str] | None = None
    """Local addresses to offer as candidates; None means all that are fit for it."""
    pending_timeout_s: float = 15.0
    """A peer that has not connected by then is closed."""


class PeerHost(Controlled, Protocol):
    """What a session does for its peers."""

    stats: Stats

    @property
    def takes(self) -> Collection[str]:
        """What a peer may publish here: `video`, `audio`."""

    def annotated(self) -> MediaStreamTrack | None:
        """A new track with the annotated picture, None when there is none to see."""

    def sound(self) -> MediaStreamTrack | None:
        """A new track with the source's sound, None when there is none to hear."""

    def admit(self, owner: str) -> None:
        """Raise Conflict when somebody else than `owner` publishes here."""

    def published(self, peer: Peer, receivers: Sequence[RTCRtpReceiver]) -> None:
        """The peer sends video, audio or both: it is the session's publisher now."""

    def left(self, peer: Peer) -> None:
        """The peer is closed, by whomever."""


class Peer:
    """A peer connection that answers one offer: `answer` negotiates, `close` ends it."""

    def __init__(
        self, id: str, host: PeerHost, options: PeerOptions, owner: str = "", terms: Terms | None = None
    ) -> None:
        """`owner` is who the peer is for access; without `terms`, those of `/offer` hold."""
        self.id = id
        self.owner = owner
        self.connected = False
        self.reason = "closed"
        """Why the peer was closed."""
        self.ice: tuple[str, str] = ("", "")
        """The peer's user name and password."""
        self._host = host
        self.terms = terms or PageTerms()
        self._options = options
        # An empty list, never None: aiortc asks a public STUN server when it is given none.
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=list(options.ice_servers)))
        edges.own_connecting(self._pc)
        self._channels = EventChannels(host, host.stats, self._attached)
        self._outgoing: list[MediaStreamTrack] = []
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._candidates = 0
        self._transport_mid = ""
        self._pc.on("connectionstatechange", self._connection_changed)
        self._pc.on("datachannel", self._channels.accept)

    async def answer(self, sdp: str, type: str) -> str:
        """Negotiate; returns the SDP of the answer.

        Raises what its terms raise, InvalidRequest, UnsupportedMedia, or Conflict when somebody else publishes here;
        after that the peer is closed and holds nothing.
        """
        try:
            offer = self.terms.read(sdp, type)
            await apply_offer(self._pc, offer, mdns=self._options.hosts != edges.LOOPBACK_ONLY)
            self._candidates = offer.candidates
            self._transport_mid = offer.transport_mid
            self.ice = (offer.ufrag, offer.password)
            publishing = self._configure_media()
            self.terms.agree([each.track.kind for each in publishing], [track.kind for track in self._outgoing])
            if publishing:
                self._host.admit(self.owner)
            edges.guard_datagrams(self._pc, self._host.stats)
            edges.restrict_gathering(self._pc, self._options.hosts)
            edges.limit_consent(self._pc)
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except BaseException:
            await self.close("refused")
            raise
        self._deadline = asyncio.get_running_loop().call_later(
            self._options.pending_timeout_s, self.close_soon, "not connected in time"
        )
        if publishing:
            self._host.published(self, publishing)
        return self.terms.write(self._pc.localDescription.sdp)

    @property
    def closing(self) -> bool:
        """True from the moment that the end has begun."""
        return self._closing is not None

    async def add_candidates(self, candidates: Sequence[RTCIceCandidate]) -> None:
        """Trickled candidates. Raises Overloaded past the cap, Conflict once the peer is closed."""
        if self._closing is not None:
            raise Conflict(f"peer {self.id} is closed")
        for candidate in candidates:
            self._candidates += 1
            if self._candidates > MAX_CANDIDATES:
                raise Overloaded(f"more than {MAX_CANDIDATES} candidates")
            # All sections share one transport, whichever the candidate names (RFC 8843, 7.1.3).
            candidate.sdpMid, candidate.sdpMLineIndex = self._transport_mid, None
            await self._pc.addIceCandidate(candidate)

    def close_soon(self, reason: str) -> asyncio.Task[None]:
        """Begin to close; the first reason counts. Safe to call again."""
        if self._closing is None:
            self.reason = reason
            self._closing = asyncio.create_task(self._close(), name=f"close-peer-{self.id}")
        return self._closing

    async def close(self, reason: str = "closed") -> None:
        """Close and wait until it is done: bounded in time, whatever the peer connection does."""
        await asyncio.shield(self.close_soon(reason))

    async def _close(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        for track in self._outgoing:
            track.stop()
        if self._pc.connectionState == "connected":
            await self._channels.drain(DRAIN_S)
        await self._channels.close()
        await edges.close_peer(self._pc)
        self._host.left(self)

    def _configure_media(self) -> Sequence[RTCRtpReceiver]:
        """Set what each media section does; returns the receivers of what the peer publishes, one of a kind."""
        received: dict[str, RTCRtpReceiver] = {}
        sent: set[str] = set()
        for transceiver in self._pc.getTransceivers():
            kind = transceiver.kind
            sends, receives = _offered(transceiver)
            directions = []
            if sends and kind in self._host.takes and kind not in received:
                received[kind] = transceiver.receiver
                edges.tune_receiver(transceiver.receiver, self._host.stats)
                directions.append("recv")
            # Who speaks does not hear it back.
            if receives and kind not in sent and not (kind == "audio" and kind in received):
                track = self._host.annotated() if kind == "video" else self._host.sound()
                if track is not None:
                    sent.add(kind)
                    self._outgoing.append(track)
                    transceiver.sender.replaceTrack(track)
                    directions.append("send")
            transceiver.direction = _DIRECTIONS[tuple(directions)]
        return tuple(received.values())

    def _attached(self) -> dict[str, Any]:
        """What `attached` says of this peer: its role, and where its picture's RTP timestamps start."""
        origins = {}
        publisher = False
        for transceiver in self._pc.getTransceivers():
            publisher = publisher or transceiver.currentDirection in ("recvonly", "sendrecv")
            if transceiver.kind == "video" and transceiver.mid is not None:
                origin = edges.sender_rtp_origin(transceiver.sender)
                if origin is not None:
                    origins[transceiver.mid] = origin
        return {"role": "publisher" if publisher else "viewer", "rtpOrigin": origins}

    def _connection_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected" and not self.connected:
            self.connected = True
            if self._deadline is not None:
                self._deadline.cancel()
        elif state in ("failed", "closed"):
            self.close_soon(f"connection {state}")


_DIRECTIONS = {(): "inactive", ("recv",): "recvonly", ("send",): "sendonly", ("recv", "send"): "sendrecv"}


def _offered(transceiver: RTCRtpTransceiver) -> tuple[bool, bool]:
    """Whether the offerer wants to send, and to receive, in this section."""
    ours = edges.offered_direction(transceiver)
    return ours in ("recvonly", "sendrecv"), ours in ("sendonly", "sendrecv")
