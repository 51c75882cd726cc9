"""What is negotiated with a peer: by `/offer`, with data channels; by WHIP (RFC 9725), media in; by WHEP, media out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from tracks.errors import Unprocessable, UnsupportedMedia

from .h264 import any_profile, as_offered
from .opus import ask_for_detail
from .sdp import OfferSummary, validate_offer

_SECTIONS = re.compile(r"(?m)^(?=m=)")
_DIRECTION = re.compile(r"(?m)^a=(?:sendrecv|sendonly|recvonly|inactive)\r$")
_OF_A_SENDER = re.compile(r"(?m)^a=(?:msid|ssrc|ssrc-group):.*\r\n")
_STREAM = re.compile(r"(?m)^a=msid:\S+")


class Terms(Protocol):
    """The rules of one way to connect. One object serves one peer."""

    def read(self, sdp: str, type: str) -> OfferSummary:
        """The offer, valid, as it is to be answered. Raises InvalidRequest, UnsupportedMedia, Unprocessable."""

    def agree(self, taken: Collection[str], given: Collection[str]) -> None:
        """Raise Unprocessable when what would be taken from the peer, and given to it, by kind, is not enough."""

    def write(self, answer: str) -> str:
        """The answer of aiortc as the peer is to get it."""


class PageTerms:
    """Those of `/offer`: whatever is offered is taken as far as it can be."""

    def read(self, sdp: str, type: str) -> OfferSummary:
        """The offer, valid."""
        return validate_offer(sdp, type)

    def agree(self, taken: Collection[str], given: Collection[str]) -> None:
        """Also events alone are worth a connection."""

    def write(self, answer: str) -> str:
        """The answer, with the bitrate that we want of Opus."""
        return ask_for_detail(answer)


class WhipTerms:
    """The peer sends, at most one track of a kind; all that it offers is taken, or nothing (RFC 9725, 4.2 and 4.4)."""

    def __init__(self) -> None:
        self._fmtp: Mapping[str, str] = {}

    def read(self, sdp: str, type: str) -> OfferSummary:
        """The offer, with every profile of H.264 made one that aiortc takes. Raises Unprocessable, InvalidRequest."""
        sdp, self._fmtp = any_profile(sdp)
        offer = _read(sdp, type)
        for media in offer.media:
            if not media.sends:
                raise Unprocessable(f"section {media.mid!r} is {media.direction}: a WHIP client sends (a=sendonly)")
        return replace(offer, sdp=_DIRECTION.sub("a=sendonly\r", offer.sdp))

    def agree(self, taken: Collection[str], given: Collection[str]) -> None:
        """At least one of the kinds must be of use; the other one is received, and thrown away."""
        if not taken:
            raise Unprocessable("the session takes none of the kinds that are offered")

    def write(self, answer: str) -> str:
        """The answer, in which everything is received, and H.264 is what was offered."""
        own, *sections = _SECTIONS.split(as_offered(ask_for_detail(answer), self._fmtp))
        # Nobody else asks for what the session does not listen to: its packets are dropped before any decoder.
        received = [_OF_A_SENDER.sub("", _DIRECTION.sub("a=recvonly\r", section)) for section in sections]
        return "".join([_trickles(own), *map(_mux_only, received)])


class WhepTerms:
    """The peer receives, at most one track of a kind, as one stream (draft-ietf-wish-whep, 4.3)."""

    def read(self, sdp: str, type: str) -> OfferSummary:
        """The offer. Raises Unprocessable, InvalidRequest."""
        offer = _read(sdp, type)
        for media in offer.media:
            if not media.receives:
                raise Unprocessable(f"section {media.mid!r} is {media.direction}: a WHEP player receives (a=recvonly)")
        return replace(offer, sdp=_DIRECTION.sub("a=recvonly\r", offer.sdp))

    def agree(self, taken: Collection[str], given: Collection[str]) -> None:
        """Something must be there to be seen or heard."""
        if not given:
            raise Unprocessable("the session has none of the kinds that are offered")

    def write(self, answer: str) -> str:
        """The answer, in which all tracks are of one stream, which players keep in sync (WHEP, 4.6.2)."""
        own, *sections = _SECTIONS.split(answer)
        sent = [
            _STREAM.sub("a=msid:vedette", section) if "\r\na=sendonly\r\n" in section else _OF_A_SENDER.sub("", section)
            for section in sections
        ]
        return "".join([_trickles(own), *map(_mux_only, sent)])


def _read(sdp: str, type: str) -> OfferSummary:
    """What WHIP and WHEP have in common: one section of a kind, and none for data channels (RFC 9725, 4.4)."""
    try:
        offer = validate_offer(sdp, type)
    except UnsupportedMedia as error:
        raise Unprocessable(error.message) from None
    if offer.has_data_channel:
        raise Unprocessable("data channels are offered: WHIP and WHEP have none, POST /sessions/{id}/offer has")
    kinds = [media.kind for media in offer.media]
    for kind in dict.fromkeys(kinds):
        if kinds.count(kind) > 1:
            raise Unprocessable(f"{kinds.count(kind)} sections of {kind} are offered, one of a kind is taken")
    return offer


def _trickles(session: str) -> str:
    """The lines before the first section, saying that candidates may come later (RFC 8838)."""
    return f"{session}a=ice-options:trickle\r\n"


def _mux_only(section: str) -> str:
    """RTP and RTCP never had two ports here (RFC 9725, 4.4.1)."""
    return section.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n", 1)
