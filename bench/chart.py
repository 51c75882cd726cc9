"""Latency of every returned frame over time, one curve a phase, as SVG written by hand, without a plotting library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from .phases import Stream

WIDTH, HEIGHT = 1100, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 40
COLOURS = ("#6b7785", "#b98a2f", "#0b6b45", "#1f5bd0")
STEP_S = 0.5
"""A curve's points: the median of this many seconds, between the 5th and 95th percentile as a band."""


def draw(path: Path, title: str, streams: Sequence[Stream]) -> None:
    """Write the chart. Needs at least one stream with frames."""
    seconds = max(at_s for stream in streams for at_s, _ in stream.points)
    highest_ms = max(float(np.percentile([ms for _, ms in stream.points], 99)) for stream in streams) * 1.25
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="#11161d">{escape(title)}</text>',
        *_axes(seconds, highest_ms),
    ]
    for position, (stream, colour) in enumerate(zip(streams, COLOURS, strict=False)):
        lines += _curve(stream, colour, seconds, highest_ms)
        lines.append(
            f'<text x="{LEFT + 10 + position * 250}" y="40" fill="{colour}">{escape(stream.name)}: '
            f"p50 {stream.latency.p50:.0f} ms, {stream.latency.fps:.1f} fps</text>"
        )
    path.write_text("\n".join([*lines, "</svg>"]) + "\n")


def _axes(seconds: float, highest_ms: float) -> Iterator[str]:
    for ms in _ticks(highest_ms):
        y = _y(ms, highest_ms)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d3dae2"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#475261">{ms:g} ms</text>'
    for at_s in _ticks(seconds):
        x = _x(at_s, seconds)
        yield f'<text x="{x:.1f}" y="{HEIGHT - 15}" text-anchor="middle" fill="#475261">{at_s:g} s</text>'


def _curve(stream: Stream, colour: str, seconds: float, highest_ms: float) -> Iterator[str]:
    points = np.array(stream.points)
    middle, upper, lower = [], [], []
    for start_s in np.arange(0, seconds, STEP_S):
        window = points[(points[:, 0] >= start_s) & (points[:, 0] < start_s + STEP_S), 1]
        if len(window):
            x = _x(start_s + STEP_S / 2, seconds)
            low, mid, high = (_y(min(float(ms), highest_ms), highest_ms) for ms in np.percentile(window, (5, 50, 95)))
            lower.append(f"{x:.1f},{low:.1f}")
            middle.append(f"{x:.1f},{mid:.1f}")
            upper.append(f"{x:.1f},{high:.1f}")
    yield f'<polygon points="{" ".join(upper + lower[::-1])}" fill="{colour}" fill-opacity="0.15"/>'
    yield f'<polyline points="{" ".join(middle)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _x(at_s: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at_s / seconds


def _y(ms: float, highest_ms: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ms / highest_ms


def _ticks(highest: float) -> list[float]:
    """Round values from 0 up to at most `highest`, four to nine of them."""
    step = 10.0 ** np.floor(np.log10(highest / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if highest / (step * factor) <= 9)
    return [float(value) for value in np.arange(0, highest, step)]
