"""What a codec's payload tells: where a frame starts, whether it is a keyframe, what conceals a lost one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

H264_START = b"\x00\x00\x00\x01"
H264_SLICE, H264_IDR, H264_SPS, H264_DELIMITER, H264_STAP_A = 1, 5, 7, 9, 24


class Payload(NamedTuple):
    """How to read one codec."""

    starts_frame: Callable[[bytes], bool]
    """Whether an RTP payload is certainly the first of a frame."""
    is_keyframe: Callable[[bytes], bool]
    """Whether an encoded frame can be decoded without the ones before it."""
    concealment: Callable[[bytes], bytes]
    """A packet to decode in place of a lost one after this packet; empty where the codec has none."""
    is_bidirectional: Callable[[bytes], bool] = lambda data: False
    """Whether an encoded frame is shown before one that has come already: a B frame."""


def vp8_starts_frame(payload: bytes) -> bool:
    """S bit set and partition 0 (RFC 7741, 4.2)."""
    return bool(payload) and payload[0] & 0x17 == 0x10


def vp8_is_keyframe(data: bytes) -> bool:
    """The inverse key frame flag of the frame tag is 0 (RFC 6386, 9.1)."""
    return bool(data) and not data[0] & 1


def h264_starts_frame(payload: bytes) -> bool:
    """An access unit delimiter or a sequence parameter set can only be the beginning (H.264, 7.4.1.2.3)."""
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == H264_STAP_A and len(payload) > 3:
        kind = payload[3] & 0x1F
    return kind in (H264_SPS, H264_DELIMITER)


def h264_is_keyframe(data: bytes) -> bool:
    """The first slice of the access unit (Annex B) is one of an instantaneous decoding refresh."""
    at = data.find(H264_START)
    while at >= 0 and at + len(H264_START) < len(data):
        kind = data[at + len(H264_START)] & 0x1F
        if H264_SLICE <= kind <= H264_IDR:
            return kind == H264_IDR
        at = data.find(H264_START, at + len(H264_START))
    return False


def h264_is_bidirectional(data: bytes) -> bool:
    """The first slice of the access unit (Annex B) refers to pictures that are shown after it: slice_type 1 or 6.

    Both numbers in front are Exp-Golomb (H.264, 7.3.3 and 9.1): as many zeros as bits follow the next one.
    """
    at = data.find(H264_START)
    while at >= 0 and at + len(H264_START) < len(data):
        start = at + len(H264_START)
        if data[start] & 0x1F == H264_SLICE:
            bits = "".join(f"{byte:08b}" for byte in data[start + 1 : start + 9])
            for _ in range(2):  # first_mb_in_slice, then slice_type
                zeros = len(bits) - len(bits.lstrip("0"))
                value, bits = bits[zeros : 2 * zeros + 1], bits[2 * zeros + 1 :]
            return bool(value) and (int(value, 2) - 1) % 5 == 1
        at = data.find(H264_START, start)
    return False


def opus_concealment(previous: bytes) -> bytes:
    """A packet with the configuration of `previous` whose frames are empty.

    For an empty frame libopus runs its packet loss concealment over exactly the duration in the header; asked without
    a packet, FFmpeg's wrapper would conceal 120 ms (RFC 6716, 3.1 and 3.2).
    """
    code = previous[0] & 3
    if code < 2:
        return previous[:1]
    if code == 2:
        return bytes([previous[0] & 0xFC | 1])
    return bytes([previous[0], previous[1] & 0x3F]) if len(previous) > 1 else b""


def _nothing(previous: bytes) -> bytes:
    return b""


OTHER = Payload(lambda payload: False, lambda data: True, _nothing)
"""A codec of which nothing is known."""

_BY_NAME = {
    "VP8": Payload(vp8_starts_frame, vp8_is_keyframe, _nothing),
    "H264": Payload(h264_starts_frame, h264_is_keyframe, _nothing, h264_is_bidirectional),
    "OPUS": OTHER._replace(concealment=opus_concealment),
    # Silence of the same duration (ITU-T G.711: the codes of the smallest positive value).
    "PCMU": OTHER._replace(concealment=lambda previous: b"\xff" * len(previous)),
    "PCMA": OTHER._replace(concealment=lambda previous: b"\xd5" * len(previous)),
}


def of(name: str) -> Payload:
    """How to read the codec with this name (of its MIME type, in any case)."""
    return _BY_NAME.get(name.upper(), OTHER)
