"""Offers: checked before aiortc sees them, since its parser raises almost anything and some mistakes hang its `close`.

What clients leave out or get wrong without harm is put right (`OfferSummary.sdp`): a missing direction, transport
attributes of bundled sections, mids in BUNDLE that do not exist, candidates that are of no use.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import CODECS, is_rtx
from aiortc.exceptions import OperationError
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.sdp import DIRECTIONS, DTLS_SETUP_ROLE, MediaDescription, SessionDescription

from tracks import edges
from tracks.errors import InvalidRequest, UnsupportedMedia

from .ice import is_useful, read_candidate

logger = logging.getLogger(__name__)

MAX_SDP_BYTES = 65536
MAX_SECTIONS = 16
MAX_CODECS = 100
"""Per section; Chromium offers about 50. With the next one it bounds what aiortc makes of one offer."""
MAX_FEEDBACK_LINES = 600
MAX_CANDIDATES = 20

KINDS = ("audio", "video", "application")
_PROFILES = {
    "audio": ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVP"),
    "video": ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVP"),
    "application": ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"),
}
_TRANSPORT = ("ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup")
_HASH_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_MID = re.compile(r"[!-~]{1,32}")
_UFRAG = re.compile(r"[!-9;-~]{4,256}")
_PASSWORD = re.compile(r"[!-~]{22,256}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """An m-section of audio or video."""

    mid: str
    kind: str
    direction: str
    """As the offerer sees it: sendrecv, sendonly, recvonly or inactive."""
    codecs: tuple[str, ...]
    """Names of those that we have too, in the offerer's order."""

    @property
    def sends(self) -> bool:
        """Whether the offerer wants to send."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the offerer wants to receive."""
        return self.direction in ("sendrecv", "recvonly")


@dataclass(frozen=True, slots=True)
class OfferSummary:
    """A valid offer."""

    sdp: str
    """The offer, put right; what `apply_offer` gives to aiortc."""
    media: tuple[OfferedMedia, ...]
    data_mid: str | None
    """The section of the data channels."""
    transport_mid: str
    """The section whose transport all share: trickled candidates of any section belong to it (RFC 8843)."""
    candidates: int
    """How many candidates it brought, at most 20."""
    ufrag: str
    password: str
    """Of its ICE, for all sections."""

    @property
    def has_data_channel(self) -> bool:
        """Whether data channels are offered."""
        return self.data_mid is not None

    def of_kind(self, kind: str) -> tuple[OfferedMedia, ...]:
        """The sections of one kind, `audio` or `video`."""
        return tuple(media for media in self.media if media.kind == kind)


def validate_offer(sdp: str, type: str) -> OfferSummary:
    """Check an offer so that aiortc takes and answers it.

    Raises InvalidRequest for what is no WebRTC offer, UnsupportedMedia when there is nothing in it that we can take.
    """
    if type != "offer":
        raise InvalidRequest(f"expected type 'offer', got {type[:20]!r}")
    if len(sdp) > MAX_SDP_BYTES or len(sdp.encode("utf-8", "replace")) > MAX_SDP_BYTES:
        raise InvalidRequest(f"an offer has at most {MAX_SDP_BYTES} bytes")
    if not sdp.startswith("v=0") or _CONTROL.search(sdp):
        raise InvalidRequest("not an SDP: it must begin with 'v=0' and have no control characters")
    # Only names that people gave to streams are ever not ASCII, and those are of no use here.
    lines = [line.rstrip() for line in re.split(r"\r\n|\n|\r", sdp.encode("ascii", "replace").decode()) if line]
    offer = _Offer(lines)
    text = offer.put_right()
    try:
        parsed = SessionDescription.parse(text)
        for section in parsed.media:
            parsed.webrtc_track_id(section)
            find_common_codecs(CODECS["video"], section.rtp.codecs)
    except Exception as error:
        logger.debug("offer refused by the parser", exc_info=True)
        raise InvalidRequest(f"the SDP has a line that cannot be understood ({error!r:.80})") from None
    media = tuple(_check_media(section) for section in parsed.media if section.kind != "application")
    data = [_check_data(section) for section in parsed.media if section.kind == "application"]
    if not data and all(section.direction == "inactive" for section in media):
        raise UnsupportedMedia("the offer has nothing to send or to receive: every section is inactive")
    return OfferSummary(
        sdp=text,
        media=media,
        data_mid=data[0] if data else None,
        transport_mid=offer.transport_mid,
        candidates=offer.candidates,
        ufrag=offer.ufrag,
        password=offer.password,
    )


def cap_candidates(lines: list[str], left: int = MAX_CANDIDATES) -> list[str]:
    """The lines of a section with the candidates that are of use, at most `left`; malformed ones are dropped too."""
    kept = []
    for line in lines:
        if line.startswith("a=candidate:"):
            try:
                useful = is_useful(read_candidate(line.removeprefix("a=candidate:")))
            except InvalidRequest:
                continue
            if not useful or left <= 0:
                continue
            left -= 1
            bits = line.split(" ")
            line = " ".join([bits[0], "1", *bits[2:]])
        kept.append(line)
    return kept


async def apply_offer(pc: RTCPeerConnection, offer: OfferSummary, *, mdns: bool = True) -> None:
    """Give a valid offer to `pc`, with the limits of `edges.admit_candidates` on its candidates.

    Raises InvalidRequest or UnsupportedMedia for whatever aiortc still finds wrong; `pc` is then to be closed.
    """
    edges.admit_candidates(pc, limit=MAX_CANDIDATES, mdns=mdns)
    try:
        await pc.setRemoteDescription(RTCSessionDescription(sdp=offer.sdp, type="offer"))
    except OperationError as error:
        raise UnsupportedMedia(str(error)) from None
    except Exception as error:
        logger.debug("offer refused by aiortc", exc_info=True)
        raise InvalidRequest(f"the offer cannot be applied ({error!r:.80})") from None


class _Offer:
    """The lines of an offer by section."""

    def __init__(self, lines: list[str]) -> None:
        starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
        if not starts:
            raise UnsupportedMedia("the offer has no media section")
        if len(starts) > MAX_SECTIONS:
            raise InvalidRequest(f"an offer has at most {MAX_SECTIONS} media sections, got {len(starts)}")
        self._session = lines[: starts[0]]
        ends = [*starts[1:], len(lines)]
        self._sections = [lines[start:end] for start, end in zip(starts, ends, strict=True)]
        self._mids = [_mid(section) for section in self._sections]
        if len(set(self._mids)) != len(self._mids):
            raise InvalidRequest(f"a=mid must differ between sections, got {self._mids}")
        self.transport_mid = self._mids[0]
        self.candidates = 0
        self.ufrag = ""
        self.password = ""

    def put_right(self) -> str:
        """The whole offer again, with what is missing."""
        session = [line for line in self._session if not line.startswith(("a=group:BUNDLE", "c="))]
        bundle = self._bundle()
        if bundle:
            self.transport_mid = bundle[0]
            session.append(f"a=group:BUNDLE {' '.join(bundle)}")
        transport = self._transport(self._sections[self._mids.index(self.transport_mid)])
        direction = next((line for line in self._session if _attribute(line) in DIRECTIONS), "a=sendrecv")
        sections = []
        for section, mid in zip(self._sections, self._mids, strict=True):
            if section[0].split(" ")[0][2:] not in KINDS:
                raise UnsupportedMedia(f"unsupported media {section[0][2:40]!r}, have: {', '.join(KINDS)}")
            _check_size(section)
            # c= and a=rtcp name the address of a time before ICE, and aiortc fails to print odd ones.
            own = [line for line in section if not line.startswith(("c=", "a=rtcp:", "a=end-of-candidates"))]
            own = [line for line in own if _attribute(line) not in _TRANSPORT]
            if not any(_attribute(line) in DIRECTIONS for line in own):
                own.append(direction)
            if "a=bundle-only" in own and "a=rtcp-mux" not in own and _is_media(section):
                own.append("a=rtcp-mux")  # it is without a transport, and so without this (RFC 8843, 7.1.3)
            if mid == self.transport_mid:
                own = cap_candidates(own)
                self.candidates = sum(line.startswith("a=candidate:") for line in own)
            else:
                own = [line for line in own if not line.startswith("a=candidate:")]
            sections += own + transport
        session = [
            line for line in session if _attribute(line) not in _TRANSPORT and _attribute(line) not in DIRECTIONS
        ]
        return "\r\n".join([*session, *sections, ""])

    def _bundle(self) -> list[str]:
        """The mids of the first BUNDLE group that exist (ffmpeg names one for the audio that it does not send)."""
        groups = [line.split()[1:] for line in self._session if line.startswith("a=group:BUNDLE")]
        bundle = list(dict.fromkeys(mid for mid in groups[0] if mid in self._mids)) if groups else []
        if len(self._mids) > 1 and set(bundle) != set(self._mids):
            raise InvalidRequest("every section must be in one BUNDLE group: we have one transport for all (RFC 8843)")
        return bundle

    def _transport(self, section: list[str]) -> list[str]:
        """The transport attributes that all sections share: those of the section, else those of the session."""
        own, session = ({name: list(_values(lines, name)) for name in _TRANSPORT} for lines in (section, self._session))
        found = {name: own[name] or session[name] for name in _TRANSPORT}
        for name, pattern in (("ice-ufrag", _UFRAG), ("ice-pwd", _PASSWORD)):
            if len(found[name]) != 1 or not pattern.fullmatch(found[name][0]):
                raise InvalidRequest(f"the offer needs one valid a={name} (RFC 8839, 5.4)")
        if len(found["setup"]) != 1 or found["setup"][0] not in DTLS_SETUP_ROLE:
            raise InvalidRequest(f"a=setup must be one of {', '.join(DTLS_SETUP_ROLE)}, got {found['setup']}"[:120])
        self.ufrag, self.password = found["ice-ufrag"][0], found["ice-pwd"][0]
        found["fingerprint"] = [value for value in found["fingerprint"] if _is_fingerprint(value)]
        if not found["fingerprint"]:
            raise InvalidRequest(f"the offer needs a valid a=fingerprint, have: {', '.join(_HASH_BYTES)}")
        return [f"a={name}:{value}" for name in _TRANSPORT for value in found[name]]


def _is_media(section: list[str]) -> bool:
    return section[0].startswith(("m=audio", "m=video"))


def _attribute(line: str) -> str | None:
    return line[2:].split(":", 1)[0] if line.startswith("a=") else None


def _values(lines: list[str], name: str) -> Iterator[str]:
    prefix = f"a={name}:"
    return (line.removeprefix(prefix) for line in lines if line.startswith(prefix))


def _mid(section: list[str]) -> str:
    mids = list(_values(section, "mid"))
    if len(mids) != 1 or not _MID.fullmatch(mids[0]):
        raise InvalidRequest(f"section {section[0][:40]!r} needs one a=mid of 1 to 32 characters")
    return mids[0]


def _is_fingerprint(value: str) -> bool:
    algorithm, _, digest = value.partition(" ")
    size = _HASH_BYTES.get(algorithm.lower())
    return (
        size is not None
        and re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", digest) is not None
        and (len(digest) == 3 * size - 1)
    )


def _check_size(section: list[str]) -> None:
    codecs = sum(line.startswith("a=rtpmap:") for line in section)
    feedback = sum(line.startswith("a=rtcp-fb:") for line in section)
    if codecs > MAX_CODECS or feedback > MAX_FEEDBACK_LINES:
        raise InvalidRequest(f"a section has at most {MAX_CODECS} a=rtpmap and {MAX_FEEDBACK_LINES} a=rtcp-fb lines")


def _check_media(section: MediaDescription) -> OfferedMedia:
    """What aiortc needs of a section of audio or video, beyond what its parser checks."""
    mid = section.rtp.muxId
    if section.profile not in _PROFILES[section.kind]:
        raise InvalidRequest(f"section {mid!r}: unknown profile {section.profile[:40]!r}")
    if not section.rtcp_mux:
        raise InvalidRequest(f"section {mid!r} needs a=rtcp-mux (RFC 8834, 4.5)")
    if any(not 1 <= extension.id <= 255 for extension in section.rtp.headerExtensions):
        raise InvalidRequest(f"section {mid!r}: the id of an a=extmap is 1 to 255 (RFC 8285)")
    if any(not 0 <= source.ssrc < 2**32 for source in section.ssrc):
        raise InvalidRequest(f"section {mid!r}: an SSRC has 32 bits")
    common = [codec for codec in find_common_codecs(CODECS[section.kind], section.rtp.codecs) if not is_rtx(codec)]
    if not common:
        ours = dict.fromkeys(codec.name for codec in CODECS[section.kind] if not is_rtx(codec))
        theirs = dict.fromkeys(codec.name[:20] for codec in section.rtp.codecs)
        raise UnsupportedMedia(
            f"no {section.kind} codec in common: offered {', '.join(theirs) or 'none'}, have: {', '.join(ours)}"
        )
    names = tuple(dict.fromkeys(codec.name for codec in common))
    return OfferedMedia(mid=mid, kind=section.kind, direction=section.direction or "sendrecv", codecs=names)


def _check_data(section: MediaDescription) -> str:
    """The same for the data channels; returns the mid."""
    mid: str = section.rtp.muxId
    if section.profile not in _PROFILES["application"]:
        raise InvalidRequest(f"section {mid!r}: unknown profile {section.profile[:40]!r}")
    port = section.fmt[0] if section.profile == "DTLS/SCTP" else section.sctp_port
    if port is None or not str(port).isdecimal() or not 0 < int(port) < 2**16:
        raise InvalidRequest(f"section {mid!r} needs a=sctp-port (RFC 8841)")
    return mid
