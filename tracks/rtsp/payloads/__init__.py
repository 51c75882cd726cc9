"""From RTP packets to what a decoder takes: one file for each payload format, one row for each in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..sdp import Media
from .aac import Aac
from .h26x import H264, H265, Pictures
from .jpeg import Jpeg
from .plain import Plain
from .unit import Depacketizer, Unit

__all__ = ["FORMATS", "Depacketizer", "Unit"]

FORMATS: Mapping[str, Callable[[Media], Depacketizer]] = {
    "h264": lambda media: Pictures(H264(), media.parameters),
    "hevc": lambda media: Pictures(H265(), media.parameters),
    "mjpeg": lambda media: Jpeg(),
    "aac": lambda media: Aac(media.parameters),
    "libopus": lambda media: Plain(),
    "pcm_mulaw": lambda media: Plain(),
    "pcm_alaw": lambda media: Plain(),
}
"""By the name of the decoder; the process is sealed by the time that one is chosen, so all are imported here. Each
raises ValueError for parameters that it does not know."""
