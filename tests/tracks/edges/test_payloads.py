"""What payloads tell, and timestamps that wrap."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from aiortc.codecs import depayload
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterFrame
from av import AudioFrame, CodecContext, VideoFrame

from tests.tracks.edges.peers import VP8
from tracks.edges import payloads
from tracks.edges.receiver import RtpTimeline


def test_the_timeline_survives_the_wrap_and_frames_out_of_order() -> None:
    """pts go on over the wrap of RTP time, and one step back does not move what follows."""
    timeline = RtpTimeline()
    stamps = [0xFFFFFFFF - 3000, 0xFFFFFFFF, 2999, 0xFFFFFFFF, 5999]
    assert [timeline.map(stamp) for stamp in stamps] == [0, 3000, 6000, 3000, 9000]


def test_lost_opus_is_concealed_for_as_long_as_it_was() -> None:
    """In place of a lost Opus packet the decoder continues the sound for exactly its duration."""
    encoder = CodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate = "s16", "stereo", 48000
    decoder = OpusDecoder()
    packets = []
    for number in range(10):
        tone = (np.sin((np.arange(960) + 960 * number) * 0.05) * 8000).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(tone, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * number, Fraction(1, 48000)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    for number, packet in enumerate(packets):
        data = packet if number != 6 else payloads.opus_concealment(packets[5])
        (decoded,) = decoder.decode(JitterFrame(data, 960 * number))
        assert (decoded.pts, decoded.samples) == (960 * number, 960)
        assert number == 0 or np.abs(decoded.to_ndarray()).max() > 4000
    for code in (1, 2, 3):
        made = payloads.opus_concealment(bytes([packets[5][0] | code, 2]) + packets[5][1:])
        assert [frame.samples for frame in decoder.decode(JitterFrame(made, 99999))] == [1920]


def test_vp8_frames_are_recognised() -> None:
    """The first packet and the keyframes of a real VP8 stream are told from the others."""
    encoder, noise = Vp8Encoder(), np.random.default_rng(1)
    for number in range(4):
        picture = noise.integers(0, 255, (480, 640, 3), dtype=np.uint8)
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = 3000 * number, Fraction(1, 90000)
        sent, _ = encoder.encode(frame, force_keyframe=number == 2)
        assert [payloads.vp8_starts_frame(payload) for payload in sent] == [True] + [False] * (len(sent) - 1)
        whole = b"".join(depayload(VP8, payload) for payload in sent)
        assert payloads.vp8_is_keyframe(whole) is (number in (0, 2))


def test_h264_frames_are_recognised() -> None:
    """Parameter sets begin a frame; an IDR slice makes a keyframe."""
    start = payloads.H264_START
    assert payloads.h264_is_keyframe(start + b"\x67sps" + start + b"\x68pps" + start + b"\x65idr")
    assert not payloads.h264_is_keyframe(start + b"\x09aud" + start + b"\x41slice" + start + b"\x65")
    assert not payloads.h264_is_keyframe(start)
    assert payloads.h264_starts_frame(b"\x67sps")
    assert payloads.h264_starts_frame(b"\x78\x00\x04\x67sps")
    assert not payloads.h264_starts_frame(b"\x7c\x85idr")
    assert not payloads.h264_starts_frame(b"")


@pytest.mark.parametrize(
    ("slice_", "is_b"),
    [
        (b"\x01\x9e", True),  # 1 00111..: the first macroblock is 0, the type 6
        (b"\x01\xa8", True),  # 1 010: type 1
        (b"\x41\x9a", False),  # 1 00110: type 5, P
        (b"\x65\x88", False),  # 1 0001000: type 7, I, of an IDR picture
        (b"\x41\x58", False),  # 010 1: a later part of a picture, type 0
        (b"\x01", False),
        (b"\x01\x00\x00", False),
    ],
)
def test_b_frames_are_recognised(slice_: bytes, is_b: bool) -> None:
    """By the type of the first slice, behind whatever other units there are."""
    start = b"\x00\x00\x00\x01"
    assert payloads.h264_is_bidirectional(start + b"\x09\xf0" + start + slice_) is is_b
