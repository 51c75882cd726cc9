"""Media files made on the spot."""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TONE_HZ = 440.0


def tone(seconds: float, rate: int, silent_until_s: float = 0.0) -> NDArray[np.float32]:
    """A sine of half the full scale, silent at first."""
    at = np.arange(round(seconds * rate)) / rate
    return np.where(at < silent_until_s, 0.0, 0.5 * np.sin(2 * np.pi * TONE_HZ * at)).astype(np.float32)


def onset_s(samples: NDArray[np.float32], rate: int = 16_000) -> float:
    """When it gets loud, in seconds."""
    return float(np.argmax(np.abs(samples) > 0.25)) / rate


def encoded(
    path: Path, container: str, codec: str, samples: NDArray[np.float32], rate: int, layout: str = "mono", at: int = 0
) -> Path:
    """A file with these samples in every channel; `at` is the pts of the first."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.repeat(samples[None], stream.layout.nb_channels, 0), "fltp", layout)
        frame.sample_rate, frame.pts = rate, at
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def wav(samples: NDArray[np.float32], rate: int = 16_000, stated_bytes: int | None = None, channels: int = 1) -> bytes:
    """A 16-bit WAV whose header may lie about the length of its data."""
    data = np.repeat(samples * 32767, channels).astype("<i2").tobytes()
    stated = len(data) if stated_bytes is None else stated_bytes
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    riff = b"RIFF" + struct.pack("<I", min(stated + 36, 0xFFFF_FFFF))
    return riff + b"WAVEfmt " + form + b"data" + struct.pack("<I", stated) + data


def float_wav(samples: NDArray[np.float32], rate: int = 16_000) -> bytes:
    """A WAV of 32-bit floating-point numbers, which may be any."""
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<IHHIIHH", 16, 3, 1, rate, rate * 4, 4, 32)
    riff = b"RIFF" + struct.pack("<I", len(data) + 36)
    return riff + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data


def silent_flac(seconds: int, *, length_stated: bool) -> bytes:
    """Silence that takes some 30 bytes a second, and need not say how much of it there is."""
    rate, out = 8_000, io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, rate), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = rate, second * rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(out.getvalue())
    if not length_stated:  # STREAMINFO: 36 bits of total samples, 0 when unknown (RFC 9639, section 8.2)
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    return bytes(data)


def video(path: Path, container: str, codec: str, size: tuple[int, int] = (320, 256), frames: int = 3) -> Path:
    """A file of grey pictures without sound."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame(*size, stream.pix_fmt)))
        out.mux(stream.encode(None))
    return path


def movie(
    path: Path,
    container: str = "mp4",
    codecs: tuple[str, str] = ("libx264", "aac"),
    seconds: float = 2.0,
    *,
    size: tuple[int, int] = (320, 180),
    rate: int = 25,
    every_s: float = 1.0,
    first_s: float = 0.5,
    at_s: float = 0.0,
    pix_fmt: str = "yuv420p",
    colour_range: int = 1,
) -> Path:
    """A dark film in which a bright rectangle is seen, and a beep heard, for 0.3 s every `every_s`, from `first_s` on.

    `at_s` is added to all timestamps; an empty codec leaves its stream out.
    """
    with av.open(str(path), "w", format=container) as out:
        video = out.add_stream(codecs[0], rate=rate, options=FAST.get(codecs[0], {})) if codecs[0] else None
        audio = out.add_stream(codecs[1], rate=48_000, layout="stereo") if codecs[1] else None
        if video is not None:
            video.width, video.height, video.pix_fmt = *size, pix_fmt
            video.codec_context.color_range = colour_range
        for second in range(math.ceil(seconds)):
            length_s = min(1.0, seconds - second)
            if video is not None:
                for number in range(round(length_s * rate)):
                    frame = flash(is_on(second + number / rate, every_s, first_s), size, pix_fmt)
                    frame.pts, frame.time_base = round((at_s + second) * rate) + number, Fraction(1, rate)
                    out.mux(video.encode(frame))
            if audio is not None:
                at = second + np.arange(round(length_s * 48_000)) / 48_000
                beep = (0.3 * np.sin(2 * np.pi * TONE_HZ * at) * is_on(at, every_s, first_s)).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(np.repeat(beep[None], 2, 0), "fltp", "stereo")
                sound.sample_rate, sound.pts, sound.time_base = (
                    48_000,
                    round((at_s + second) * 48_000),
                    Fraction(1, 48_000),
                )
                out.mux(audio.encode(sound))
        for stream in (video, audio):
            if stream is not None:
                out.mux(stream.encode(None))
    return path


FAST = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "crf": "20"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def is_on(at_s: Any, every_s: float, first_s: float) -> Any:
    """Whether there is a flash, and a beep, at that time."""
    return (at_s >= first_s - 1e-6) & ((at_s - first_s + 1e-6) % every_s < 0.3)


def flash(bright: bool, size: tuple[int, int], pix_fmt: str = "yuv420p") -> av.VideoFrame:
    """A dark picture, with a bright rectangle in its left upper part or without."""
    width, height = size
    image = np.full((height, width, 3), 30, np.uint8)
    if bright:
        image[height // 4 : height // 2, width // 8 : width // 3] = 230
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
