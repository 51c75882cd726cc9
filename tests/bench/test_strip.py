"""The frame number in the picture."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from aiortc.codecs import vpx
from av import CodecContext, Packet, VideoFrame

from bench import strip
from tracks.planes import planes


def noisy_frame(number: int, generator: np.random.Generator) -> VideoFrame:
    """Busy moving content that leaves the encoder no bits to spare."""
    frame = VideoFrame(1280, 720, "yuv420p")
    for plane in planes(frame):
        coarse = generator.integers(16, 235, (plane.shape[0] // 8, plane.shape[1] // 8), np.uint8)
        plane[:] = np.kron(coarse, np.ones((8, 8), np.uint8))
    strip.write(frame, number)
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
    return frame


def test_every_number_survives_vp8_at_one_and_a_half_megabits() -> None:
    """60 frames of noise through aiortc's own encoder settings come back with their numbers."""
    generator = np.random.default_rng(1)
    encoder, decoder = vpx.Vp8Encoder(), CodecContext.create("libvpx", "r")
    encoder.target_bitrate = 1_500_000
    sent = list(range(32740, 32800))
    received = []
    for number in sent:
        payloads, _ = encoder.encode(noisy_frame(number, generator))
        encoded = b"".join(vpx.vp8_depayload(payload) for payload in payloads)
        received += [strip.read(frame) for frame in decoder.decode(Packet(encoded))]
    assert received == sent


def test_a_number_is_read_back_exactly_up_to_its_range() -> None:
    """Numbers are kept modulo 65,536."""
    frame = VideoFrame(1280, 720, "yuv420p")
    for number in (0, 1, 255, 256, 43690, 65535, 65536, 70000):
        strip.write(frame, number)
        assert strip.read(frame) == number % strip.NUMBERS


def test_boxes_drawn_across_the_strip_do_not_change_the_number() -> None:
    """Lines of 6 pixels, as a box drawn over a person at the edge has them, are ignored."""
    frame = VideoFrame(1280, 720, "yuv420p")
    strip.write(frame, 43690)
    y = planes(frame).y
    y[-6:, 300:700] = 255
    y[-strip.ROWS :, 300:306] = 255
    y[-strip.ROWS :, 694:700] = 0
    assert strip.read(frame) == 43690


def test_a_picture_without_a_strip_has_no_number() -> None:
    """A grey picture is not taken for a number."""
    frame = VideoFrame(1280, 720, "yuv420p")
    for plane in planes(frame):
        plane[:] = 128
    assert strip.read(frame) is None


def test_a_damaged_block_is_noticed() -> None:
    """A block that was flipped makes the checksum fail instead of giving another number."""
    frame = VideoFrame(1280, 720, "yuv420p")
    for block in range(24):
        strip.write(frame, 1234)
        y = planes(frame).y
        left = 64 + block * 48
        y[-strip.ROWS :, left : left + 48] = 255 - y[-strip.ROWS :, left : left + 48]
        assert strip.read(frame) is None


def test_a_frame_too_narrow_for_the_strip_is_refused() -> None:
    """The error names both widths."""
    with pytest.raises(ValueError, match="needs 1152 pixels, the frame is 640 wide"):
        strip.write(VideoFrame(640, 360, "yuv420p"), 1)
