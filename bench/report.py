"""The table, the JSON and the words around them: what ran where, on which content, beside what."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .event_verdict import event_table
from .figure import Verdict
from .hearing_verdict import hearing_table
from .phases import Stream
from .verdict import Measured

PACKAGES = (
    *("aiortc", "aioice", "aiosqlite", "asyncpg", "av", "numpy"),
    *("onnxruntime", "openvino", "pocketsphinx", "torch", "ultralytics"),
)
COLUMNS = ("sent fps", "back fps", "p50 ms", "p95 ms", "p99 ms", "1st 3rd", "last 3rd", "det/s", "lost", "lag p99")
COST_COLUMNS = ("server", "outside", "client", "others", "out kb/s", "back kb/s", "1st frame", "skipped")


def machine() -> dict[str, Any]:
    """What this ran on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "packages": {name: version(name) for name in PACKAGES},
    }


def table(measured: Measured) -> Iterator[str]:
    """Two tables with a line for each phase that streamed, and the figures that belong to no stream."""
    streams = measured.streams
    if streams:
        yield from _aligned(["frames and latency", *COLUMNS], [[s.name, *_frames(s)] for s in streams])
        yield ""
        yield from _aligned(["cores and bitrates", *COST_COLUMNS], [[s.name, *_costs(s)] for s in streams])
        yield "outside: the server without its detector's threads; others: everything else on this machine;"
        yield "lag: over the last minute, so in a run shorter than that the server's start is in it"
        for stream in streams:
            if stream.drops:
                yield f"{stream.name} dropped by itself: {json.dumps(stream.drops)}"
        yield ""
    if measured.detector_alone_fps is not None:
        yield f"bare detector alone: {measured.detector_alone_fps:.1f} frames/s"
    if measured.loaded_echoes:
        rates = ", ".join(f"{each.detections_per_s:.1f}" for each in measured.loaded_echoes)
        yield f"bare detector beside the echo and its client: {rates} frames/s"
    if (frame := measured.frame) is not None:
        parts = ", ".join(f"{name.removesuffix('Ms')} {each:.1f}" for name, each in frame.timings_ms.items())
        yield (
            f"single pictures: {frame.answered_fps:.1f}/s with {frame.clients} clients, p50 {frame.p50_ms:.1f} ms, p95 "
            f"{frame.p95_ms:.1f} ms, {frame.refused} refused; on average, in ms: {parts}; bare detector before and "
            f"after: {frame.bare_fps[0]:.1f}, {frame.bare_fps[1]:.1f}/s; detector plus decoding: "
            f"{frame.decoding_fps:.1f}/s"
        )
        yield str(frame.costs)
    if (ws := measured.ws) is not None:
        yield (
            f"pictures over /ws/stream: {ws.answered_fps:.1f}/s with {ws.in_flight} on their way, p50 "
            f"{ws.p50_ms:.1f} ms, p95 {ws.p95_ms:.1f} ms, {ws.lost} lost; bare detector with decoding before and "
            f"after: {ws.bare_fps[0]:.1f}, {ws.bare_fps[1]:.1f}/s, so {ws.bare_ms:.1f} ms a picture"
        )
        yield str(ws.costs)
    if (accuracy := measured.accuracy) is not None:
        yield (
            f"boxes shown by smooth: {accuracy.boxes} true boxes, median IoU {accuracy.median_iou:.3f}, of the "
            f"{accuracy.moving_boxes} moving ones {accuracy.moving_median_iou:.3f}; {accuracy.missed:.1%} missed, "
            f"{accuracy.invented:.1%} of the shown ones fit nothing"
        )
    if (connects := measured.connects) is not None:
        yield f"{connects.count} connects in {connects.seconds:.0f} s"
        for when, moment in (("before", connects.before), ("after", connects.after)):
            tasks = "unknown" if moment.tasks is None else moment.tasks
            yield (
                f"  {when:6} {moment.descriptors} descriptors, {moment.threads} threads, {tasks} tasks, "
                f"{moment.rss_mb:.0f} MB"
            )
    if measured.hearing is not None:
        yield from hearing_table(measured.hearing)
    if measured.events is not None:
        yield from event_table(measured.events)


def verdict_lines(found: Sequence[Verdict]) -> Iterator[str]:
    """One line for each figure, after an empty one."""
    if not found:
        return
    rows = [["PASS" if v.reached else "FAIL", v.what, v.measured, v.wanted] for v in found]
    yield ""
    yield from _aligned(["", "figure", "measured", "wanted"], rows, left=3)


def write_json(path: Path, about: dict[str, Any], measured: Measured, found: Sequence[Verdict]) -> None:
    """Everything but the single frames."""
    body = {**about, "measured": _plain(asdict(measured)), "figures": [asdict(v) for v in found]}
    path.write_text(json.dumps(body, indent=1) + "\n")


def _frames(stream: Stream) -> list[str]:
    latency = stream.latency
    return [
        f"{stream.sent_fps:.1f}",
        f"{latency.fps:.1f}",
        f"{latency.p50:.1f}",
        f"{latency.p95:.1f}",
        f"{latency.p99:.1f}",
        f"{latency.first_third_p50:.1f}",
        f"{latency.last_third_p50:.1f}",
        f"{stream.detections_per_s:.1f}",
        f"{stream.not_returned + stream.unreadable}",
        f"{stream.loop_lag_p99_ms:.1f}",
    ]


def _costs(stream: Stream) -> list[str]:
    return [
        f"{stream.server_cores:.2f}",
        f"{stream.outside_cores:.2f}",
        f"{stream.client_cores:.2f}",
        f"{stream.other_cores:.2f}",
        f"{stream.sent_kbps:.0f}",
        f"{stream.returned_kbps:.0f}",
        f"{stream.first_frame_s:.2f} s",
        f"{stream.skipped}",
    ]


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """Columns as wide as their widest cell; the first `left` ones to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _plain(value: Any) -> Any:
    """Without the single frames, and without NaN and infinity, which are not JSON."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if key not in ("points", "numbers")}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else round(value, 4)
    return value


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
