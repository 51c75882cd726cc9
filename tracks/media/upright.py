"""Decoded pictures as everybody else wants them: yuv420p of limited range, the right way up. Runs in the child
only."""

from __future__ import annotations

from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

TURNS = {90: ("transpose", "cclock"), -90: ("transpose", "clock"), 180: ("hflip", ""), -180: ("hflip", "")}
"""By how many degrees a picture is to be turned, counterclockwise: FFmpeg's filter, and its argument. Half a turn is a
`hflip` and a `vflip`."""


class Upright:
    """Turns and converts what has to be, picture by picture; each may have another size, format or orientation."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._graph: Graph | None = None
        self._shape: tuple[str, int, int, int] | None = None

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame itself where nothing has to be done."""
        rotation = frame.rotation
        full = frame.color_range == ColorRange.JPEG
        if full or frame.format.name != "yuv420p":
            frame = self._reformatter.reformat(
                frame,
                format="yuv420p",
                src_color_range=ColorRange.JPEG if full else None,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        if rotation in TURNS:  # phones turn by right angles only
            return self._turned(frame, rotation)
        return frame

    def _turned(self, frame: VideoFrame, rotation: int) -> VideoFrame:
        shape = (frame.format.name, frame.width, frame.height, rotation)
        if self._graph is None or shape != self._shape:
            self._graph, self._shape = _turning(frame, rotation), shape
        self._graph.push(frame)
        turned = self._graph.pull()
        assert isinstance(turned, VideoFrame)
        return turned


def _turning(frame: VideoFrame, rotation: int) -> Graph:
    name, argument = TURNS[rotation]
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base="1/90000",
            pixel_aspect="1/1",
        ),
        *([graph.add(name, argument)] if argument else [graph.add("hflip"), graph.add("vflip")]),
        graph.add("buffersink"),
    ).configure()
    return graph
