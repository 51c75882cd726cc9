"""One run: every phase after the other, on the same content, weights and client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tracks.registry import Overlay, Registry

from .accuracy import Truth, compare, read_shown
from .connects import connects
from .content import Content
from .detector import DetectorOptions, bare_detector, bare_rate, find_truth
from .events import events
from .frame import frame_load
from .hearing import hearing
from .phases import StreamOptions, stream
from .processes import free_port, server
from .verdict import Measured
from .ws import ws_load

PHASES = ("detector", "echo", "smooth", "load", "exact", "load-again", "frame", "ws", "connects", "hearing", "events")
WITHOUT_PICTURE = frozenset({"hearing", "events"})
PROFILES: Mapping[Overlay, str] = {"smooth": "fast", "exact": "accurate"}
"""Each overlay is measured in the profile whose default it is."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is measured, and on what."""

    phases: Sequence[str]
    weights: str
    """A path or a registry name."""
    seconds: float
    connects: int
    events: int
    out: Path
    """Folder of content, logs and results, absolute."""


class Run:
    """The phases of one run. `tell` is given a line whenever something begins or goes on."""

    def __init__(self, options: RunOptions, content: Content | None, tell: Callable[[str], None]) -> None:
        """`content`: None only where all phases are `WITHOUT_PICTURE`."""
        self._options = options
        self._content = content
        self._tell = tell
        self.measured = Measured()

    async def phase(self, name: str) -> None:
        """Measure one of `PHASES`. Raises Failed or ValueError when it cannot be measured."""
        phases = {
            "detector": self._alone,
            "echo": self._echo,
            "smooth": self._smooth,
            "load": self._loaded_echo,
            "load-again": self._loaded_echo,
            "exact": self._exact,
            "frame": self._frame,
            "ws": self._ws,
            "connects": self._connects,
            "hearing": self._hearing,
            "events": self._events,
        }
        self._tell(f"{name} …")
        # A folder of its own for each phase: nothing that one leaves behind weighs on the next.
        with TemporaryDirectory(prefix="vedette-bench-", ignore_cleanup_errors=True) as data_dir:
            await phases[name](data_dir)

    async def _alone(self, data_dir: str) -> None:
        options = self._options
        self.measured.detector_alone_fps = await bare_rate(self._detector(data_dir), options.out, options.seconds)

    async def _echo(self, data_dir: str) -> None:
        self.measured.echo = await stream(self._echo_options("echo"))

    async def _loaded_echo(self, data_dir: str) -> None:
        async with bare_detector(self._detector(data_dir), self._options.out) as detector:
            self.measured.loaded_echoes.append(await stream(self._echo_options("echo+detector"), detector))

    async def _smooth(self, data_dir: str) -> None:
        assert self._content is not None
        out = self._options.out
        truth = out / f"truth-{self._content.digest}-{_digest(self._options.weights)}.npz"
        if not truth.exists():
            self._tell("smooth: first, what the detector itself finds on every frame")
            await find_truth(self._detector(data_dir, truth), out)
        shown = out / "smooth-shown.jsonl"
        options = self._vedette_options("smooth", ("bench.watched_server", str(shown)), data_dir)
        self.measured.smooth = await stream(options)
        profile = Registry.load().profile(PROFILES["smooth"])
        returned = [frame for frame in read_shown(shown) if frame.number in self.measured.smooth.numbers]
        self.measured.accuracy = compare(returned, Truth.read(truth), self._content.order, profile.confidence)

    async def _exact(self, data_dir: str) -> None:
        self.measured.exact = await stream(self._vedette_options("exact", ("server",), data_dir))

    async def _frame(self, data_dir: str) -> None:
        options = self._options
        settings = self._settings(0, data_dir)
        self.measured.frame = await frame_load(self._detector(data_dir), options.out, options.seconds, settings)

    async def _ws(self, data_dir: str) -> None:
        options = self._options
        settings = self._settings(0, data_dir)
        self.measured.ws = await ws_load(self._detector(data_dir), options.out, options.seconds, settings)

    async def _connects(self, data_dir: str) -> None:
        count = self._options.connects
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        log = self._options.out / "connects-server.log"

        def tell(done: int) -> None:
            if done % 25 == 0:
                self._tell(f"connects: {done} of {count}")

        async with server(("server",), url, "/health/ready", log, self._settings(port, data_dir)) as running:
            self.measured.connects = await connects(url, running.pid, count, tell)

    async def _hearing(self, data_dir: str) -> None:
        self.measured.hearing = await hearing(Path(data_dir), self._tell)

    async def _events(self, data_dir: str) -> None:
        self.measured.events = await events(Path(data_dir), self._options.events, self._tell)

    def _detector(self, data_dir: str, truth: Path | None = None) -> DetectorOptions:
        options = self._options
        found = None if truth is None else str(truth)
        return DetectorOptions(options.weights, str(options.out), data_dir, truth=found)

    def _echo_options(self, name: str) -> StreamOptions:
        port = free_port()
        return StreamOptions(
            name,
            ("bench.echo_server", str(port)),
            f"http://127.0.0.1:{port}",
            "/metrics",
            self._options.seconds,
            self._options.out,
        )

    def _vedette_options(self, overlay: Overlay, args: Sequence[str], data_dir: str) -> StreamOptions:
        port = free_port()
        return StreamOptions(
            overlay,
            args,
            f"http://127.0.0.1:{port}",
            "/health/ready",
            self._options.seconds,
            self._options.out,
            overlay,
            PROFILES[overlay],
            self._settings(port, data_dir),
        )

    def _settings(self, port: int, data_dir: str) -> dict[str, str]:
        return {
            "VEDETTE_PORT": str(port),
            "VEDETTE_DATA_DIR": data_dir,
            "VEDETTE_DETECTOR": self._options.weights,
            "VEDETTE_LOG_LEVEL": "info",
        }


def _digest(weights: str) -> str:
    """A name for these weights: of their bytes, or of the registry's name for them."""
    path = Path(weights)
    digest = hashlib.sha256()
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16] if files else weights
