"""Media files made on the spot."""

from __future__ import annotations

import io
import struct
from pathlib import Path

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
