"""Pictures of strangers (JPEG, PNG, WebP) as frames: what may be in them is checked before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from av import Packet, VideoCodecContext, VideoFrame
from av.error import FFmpegError
from av.video.reformatter import ColorRange

from .errors import InvalidRequest, PayloadTooLarge
from .planes import Plane, planes
from .stills import Still, jpeg, png, read_still, webp
from .stills.still import damaged

_DECODERS = {jpeg.FORMAT: "mjpeg", png.FORMAT: "png", webp.FORMAT: "webp"}
"""FFmpeg's."""
_WITH_ALPHA = frozenset({"pal8", "ya8", "ya16be", "rgba", "rgba64be", "argb", "yuva420p"})
"""Formats of those decoders."""
_BEHIND = 114
"""Grey level that shines through: the detector's padding, where nothing is."""
_TURNS: Mapping[int, Callable[[Plane], Plane]] = {
    2: lambda plane: plane[:, ::-1],
    3: lambda plane: plane[::-1, ::-1],
    4: lambda plane: plane[::-1],
    5: lambda plane: plane.T,
    6: lambda plane: plane.T[:, ::-1],
    7: lambda plane: plane.T[::-1, ::-1],
    8: lambda plane: plane.T[::-1],
}
"""What EXIF's orientations ask for."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Caps on one picture."""

    max_pixels: int = 3840 * 2160
    """Width times height: 8.3 megapixels."""
    max_side: int = 16_384
    """Width and height each."""
    min_side: int = 2
    """Width and height each: one sample of colour covers as much."""

    @property
    def max_bytes(self) -> int:
        """Of the file: what the largest picture has in RGB without any compression, 25 MB."""
        return 3 * self.max_pixels


LIMITS = ImageLimits()


def image_size(data: bytes, limits: ImageLimits = LIMITS) -> tuple[int, int]:
    """(width, height) of the frame that `decode_image` would make of a file, as far as its headers tell.

    Nothing is decoded: microseconds. Raises as `decode_image`.
    """
    return _checked(data, limits).upright


def decode_image(data: bytes, limits: ImageLimits = LIMITS, *, as_stored: bool = False) -> VideoFrame:
    """The picture in a JPEG, PNG or WebP file as a yuv420p frame without pts, upright as its EXIF says.

    Blocking, any thread: 2.6 ms for a JPEG of 1280x720; Python's lock is held for little of it. The format is told by
    content. What is transparent becomes grey. Raises UnsupportedMedia for what is no such picture, is animated or of a
    rare kind, PayloadTooLarge above the caps, InvalidRequest for a file that is empty, cut off, damaged or of less
    than two pixels a side.

    `as_stored`: a JPEG of the usual kind stays as it is, yuvj420p with luma from 0 to 255, which saves 0.4 ms where it
    is only looked at; `as_video` makes it what it would be otherwise.
    """
    still = _checked(data, limits)
    if still.format == png.FORMAT and not png.is_sound(still):
        raise damaged(still.format)
    frame = _on_grey(_decoded(still, limits))
    if as_stored and frame.format.name == "yuvj420p" and still.orientation not in _TURNS:
        return frame
    frame = as_video(frame)
    return _turned(frame, still.orientation) if still.orientation in _TURNS else frame


def as_video(frame: VideoFrame) -> VideoFrame:
    """A frame of these decoders as yuv420p of limited range, BT.601. Blocking, any thread.

    A file's luma is 0 to 255, unless it is WebP's lossy kind.

    Ranges are told, as they are not converted otherwise; on one thread, as two get in each other's way.
    """
    if frame.format.name == "yuv420p":  # as WebP's lossy kind is, and what was converted before
        return frame
    limited = frame.color_range == ColorRange.MPEG
    return frame.reformat(
        format="yuv420p",
        src_color_range=ColorRange.MPEG if limited else ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )


def _checked(data: bytes, limits: ImageLimits) -> Still:
    if len(data) > limits.max_bytes:
        raise PayloadTooLarge(
            f"the picture has {len(data)} bytes, at most {limits.max_bytes} are taken", {"maxBytes": limits.max_bytes}
        )
    still = read_still(data)
    width, height = still.width, still.height
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise PayloadTooLarge(
            f"the picture has {width}x{height} pixels, at most {limits.max_pixels} in all and {limits.max_side} a side"
            " are taken",
            {"width": width, "height": height, "maxPixels": limits.max_pixels, "maxSide": limits.max_side},
        )
    if min(width, height) < limits.min_side:
        raise InvalidRequest(
            f"the picture has {width}x{height} pixels, at least {limits.min_side} a side are needed",
            {"width": width, "height": height, "minSide": limits.min_side},
        )
    return still


def _decoded(still: Still, limits: ImageLimits) -> VideoFrame:
    """The frame as FFmpeg's decoder makes it, which is told to give up at the first fault instead of guessing on."""
    decoder = VideoCodecContext.create(_DECODERS[still.format], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"err_detect": "crccheck+bitstream+buffer+explode", "max_pixels": str(limits.max_pixels)}
    try:
        frames = decoder.decode(Packet(still.picture)) or decoder.decode(None)
    except FFmpegError:
        raise damaged(still.format) from None
    if len(frames) != 1 or (frames[0].width, frames[0].height) != (still.width, still.height):
        raise damaged(still.format)
    return frames[0]


def _on_grey(frame: VideoFrame) -> VideoFrame:
    """The frame, laid over grey if it may be transparent."""
    if frame.format.name not in _WITH_ALPHA:
        return frame
    pixels = frame.to_ndarray(format="rgba")
    alpha = pixels[..., 3:]
    if alpha.min() == 255:
        return frame
    blended = (pixels[..., :3] * alpha.astype(np.uint16) + _BEHIND * (255 - alpha.astype(np.uint16)) + 127) // 255
    return VideoFrame.from_ndarray(blended.astype(np.uint8), format="rgb24")


def _turned(frame: VideoFrame, orientation: int) -> VideoFrame:
    width, height = (frame.height, frame.width) if orientation > 4 else (frame.width, frame.height)
    upright = VideoFrame(width, height, "yuv420p")
    for source, target in zip(planes(frame), planes(upright), strict=True):
        np.copyto(target, _TURNS[orientation](source))
    return upright
