"""The figures that the server has to reach, each held against what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from .accuracy import Accuracy
from .connects import Connects
from .content import FPS
from .event_verdict import event_verdicts
from .events import OnDatabase
from .figure import Verdict
from .frame import FrameLoad
from .hearing import Hearing
from .hearing_verdict import hearing_verdicts
from .phases import Stream
from .ws import WsLoad


@dataclass(slots=True)
class Measured:
    """Everything that one run measured; what was not asked for is None."""

    detector_alone_fps: float | None = None
    echo: Stream | None = None
    smooth: Stream | None = None
    loaded_echoes: list[Stream] = field(default_factory=list)
    """The echo while the bare detector ran beside it, before `exact` and after; `detections_per_s` is the detector's
    rate under that load."""
    exact: Stream | None = None
    accuracy: Accuracy | None = None
    """Of the boxes that `smooth` showed."""
    frame: FrameLoad | None = None
    ws: WsLoad | None = None
    connects: Connects | None = None
    hearing: Hearing | None = None
    events: Sequence[OnDatabase] | None = None

    @property
    def streams(self) -> list[Stream]:
        """Those phases in which frames went round, in the order of the tables."""
        before, after = self.loaded_echoes[:1], self.loaded_echoes[1:]
        return [s for s in (self.echo, self.smooth, *before, self.exact, *after) if s is not None]

    @property
    def loaded_detector_fps(self) -> float | None:
        """What the bare detector detects beside the echo.

        The mean of before and after `exact`, since a machine is slower at one moment than at another.
        """
        return fmean(each.detections_per_s for each in self.loaded_echoes) if self.loaded_echoes else None


def verdicts(measured: Measured) -> Iterator[Verdict]:
    """Every figure for which there are measurements."""
    if measured.smooth is not None:
        yield from _smooth(measured.smooth)
    if measured.accuracy is not None:
        iou = measured.accuracy.median_iou
        yield Verdict("smooth: median IoU of shown boxes", ">= 0.7", f"{iou:.3f}", iou >= 0.7)
    if measured.exact is not None:
        yield from _exact(measured.exact, measured.loaded_detector_fps)
    for stream in (measured.smooth, measured.exact):
        if stream is not None:
            yield from _cost(stream, measured.echo)
    if measured.frame is not None:
        yield _frame(measured.frame)
    if measured.ws is not None:
        yield from _ws(measured.ws)
    if measured.connects is not None:
        yield _connects(measured.connects)
    if measured.hearing is not None:
        yield from hearing_verdicts(measured.hearing)
    if measured.events is not None:
        yield from event_verdicts(measured.events)


def _smooth(smooth: Stream) -> Iterator[Verdict]:
    latency = smooth.latency
    yield Verdict("smooth: frames returned per second", ">= 29", f"{latency.fps:.1f}", latency.fps >= 29)
    yield Verdict("smooth: latency p50", "<= 75 ms", f"{latency.p50:.1f} ms", latency.p50 <= 75)
    yield Verdict("smooth: latency p95", "<= 110 ms", f"{latency.p95:.1f} ms", latency.p95 <= 110)
    yield _flat(smooth)
    rate = smooth.detections_per_s
    yield Verdict("smooth: detections per second", ">= 10", f"{rate:.1f}", rate >= 10)


def _exact(exact: Stream, loaded_fps: float | None) -> Iterator[Verdict]:
    latency = exact.latency
    if loaded_fps is not None:
        # More pictures than the camera makes cannot be detected, however fast the detector is.
        wanted = 0.85 * min(loaded_fps, FPS)
        yield Verdict(
            "exact: frames returned per second",
            f">= {wanted:.1f} (0.85 x {min(loaded_fps, FPS):.1f})",
            f"{latency.fps:.1f}",
            latency.fps >= wanted,
        )
    yield Verdict("exact: latency p50", "<= 150 ms", f"{latency.p50:.1f} ms", latency.p50 <= 150)
    yield _flat(exact)


def _flat(stream: Stream) -> Verdict:
    latency = stream.latency
    drift = latency.last_third_p50 - latency.first_third_p50
    return Verdict(f"{stream.name}: last third against first", "<= +10 ms", f"{drift:+.1f} ms", latency.flat)


def _cost(stream: Stream, echo: Stream | None) -> Iterator[Verdict]:
    if echo is not None:
        wanted = 1.25 * echo.server_cores
        yield Verdict(
            f"{stream.name}: CPU outside the detector",
            f"<= {wanted:.2f} (1.25 x {echo.server_cores:.2f})",
            f"{stream.outside_cores:.2f} cores",
            stream.outside_cores <= wanted,
        )
    lag = stream.loop_lag_p99_ms
    yield Verdict(f"{stream.name}: event loop lag p99", "<= 30 ms", f"{lag:.1f} ms", lag <= 30)


def _frame(frame: FrameLoad) -> Verdict:
    wanted = 0.9 * frame.bare_mean_fps
    return Verdict(
        f"frame: pictures answered per second, {frame.clients} clients",
        f">= {wanted:.1f} (0.9 x {frame.bare_mean_fps:.1f})",
        f"{frame.answered_fps:.1f}",
        frame.answered_fps >= wanted and not frame.refused,
    )


def _ws(ws: WsLoad) -> Iterator[Verdict]:
    wanted = 0.9 * ws.bare_mean_fps
    yield Verdict(
        "ws: pictures answered per second, beside detector and decoding",
        f">= {wanted:.1f} (0.9 x {ws.bare_mean_fps:.1f})",
        f"{ws.answered_fps:.1f}",
        ws.answered_fps >= wanted and not ws.lost,
    )
    yield Verdict("ws: latency p50 beyond these two", "<= 20 ms", f"{ws.added_ms:.1f} ms", ws.added_ms <= 20)


def _connects(connects: Connects) -> Verdict:
    before, after = connects.before, connects.after
    tasks = "?" if before.tasks is None or after.tasks is None else f"{after.tasks - before.tasks:+d}"
    found = (
        f"{after.descriptors - before.descriptors:+d} fds, {after.threads - before.threads:+d} threads, "
        f"{tasks} tasks, {connects.growth_mb:+.1f} MB"
    )
    return Verdict(f"{connects.count} connects: all given back", "+0, +0, +0, <= 20 MB", found, connects.returned)
