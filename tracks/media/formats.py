"""Formats and codecs that are taken from strangers; what is not named here is refused, whatever the file is called.

Left out are, above all, formats that name other files or hosts (playlists, ffconcat, SDP, DASH), and what FFmpeg has
for consoles and games of the nineties: hundreds of parsers that nobody needs and few have looked at.
"""

from __future__ import annotations

CONTAINERS = (
    *("wav", "w64", "aiff", "au", "caf", "mp3", "aac", "flac", "ogg", "amr"),
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "mpeg", "mpegts", "avi"),
)
"""FFmpeg's names of demuxers."""

AUDIO_CODECS = (
    *("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "aac", "aac_latm", "flac", "alac", "opus", "libopus"),
    *("vorbis", "ac3", "eac3", "amrnb", "amrwb", "gsm", "gsm_ms", "g722", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
    *("pcm_s8", "pcm_u8", "pcm_alaw", "pcm_mulaw", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
    *("pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
)
"""FFmpeg's names of decoders."""

VIDEO_CODECS = ("h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "h263")
"""FFmpeg's names of decoders."""

READABLE = "wav, mp3, m4a and mp4, ogg (opus, vorbis), flac, webm and matroska, aac, aiff, caf, amr, avi, mpeg"
"""What is taken, in the words of people."""
VIEWABLE = "h264, hevc, av1, vp8, vp9, mpeg4, mpeg2, mpeg1, mjpeg and h263, in mp4, mov, webm, matroska, avi, mpeg"
"""The same of what moves."""


def open_options(max_pixels: int) -> dict[str, str]:
    """FFmpeg's options for opening an untrusted file: what may open what, and how far it looks.

    The protocol list names none that exists: nothing that a file refers to is opened, even where a demuxer would.
    """
    return {
        "format_whitelist": ",".join(CONTAINERS),
        "codec_whitelist": ",".join(AUDIO_CODECS + VIDEO_CODECS),
        "protocol_whitelist": "none",
        "max_streams": "32",
        # FFmpeg forgets the size of what is over its own cap; with some room it can be named in the refusal.
        "max_pixels": str(4 * max_pixels),
        "probesize": str(5_000_000),
        "analyzeduration": str(5_000_000),
        "threads": "1",
    }
