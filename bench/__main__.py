"""`python -m bench`: measure this server beside a bare echo and a bare detector, and say what was reached."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import chart, report
from .content import load, shared_dir
from .processes import Failed
from .run import PHASES, WITHOUT_PICTURE, Run, RunOptions
from .verdict import verdicts

OUT = Path(__file__).resolve().with_name("out")
LONG_S = 300.0
BUSY_CORES = 0.3
"""What other programs may use before the run is called disturbed."""
MIN_CONNECTS = 20
WEIGHTS = "yolov8n_int8_openvino_model"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every figure was reached, 1 when one was not, 2 when a phase could not be measured."""
    options = _options(argv)
    if sys.platform != "linux":
        print("the benchmark reads CPU time per thread from /proc, which only Linux has", file=sys.stderr)
        return 2
    began_s = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began_s:5.0f} s] {line}", flush=True)

    machine = report.machine()
    tell(f"weights: {options.weights}")
    content = None
    if set(options.phases) - WITHOUT_PICTURE:
        tell("content: rendered once, which takes half a minute")
        content = load(options.out)
        tell(f"content: {content.description}")
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options, content, tell)
    failed = asyncio.run(_phases(run, options.phases, tell))

    found = list(verdicts(run.measured))
    about: dict[str, object] = {
        "content": "" if content is None else content.description,
        "weights": options.weights,
        "seconds": options.seconds,
        "machine": machine,
        "failed": failed,
    }
    print()
    _print_about(about)
    print()
    for line in (*report.table(run.measured), *report.verdict_lines(found)):
        print(line)
    report.write_json(options.out / "bench.json", about, run.measured, found)
    streams = run.measured.streams
    if streams:
        chart.draw(options.out / "latency.svg", f"Glass-to-glass latency, {about['content']}", streams)
    print(f"\nwritten: {options.out}/bench.json{f', {options.out}/latency.svg' if streams else ''}")
    if busy := [s.name for s in streams if s.other_cores > BUSY_CORES]:
        print(
            f"other programs took more than {BUSY_CORES} core meanwhile, so these figures say little: {', '.join(busy)}"
        )
    for line in failed:
        print(f"not measured: {line}", file=sys.stderr)
    return 2 if failed else int(not all(verdict.reached for verdict in found))


async def _phases(run: Run, names: Sequence[str], tell: Callable[[str], None]) -> list[str]:
    """Run the phases in turn; one that cannot be measured does not take the others with it."""
    failed = []
    for name in names:
        try:
            await run.phase(name)
        except (Failed, ValueError, OSError, TimeoutError, ExceptionGroup) as error:
            tell(f"{name} failed: {error}")
            failed.append(f"{name}: {error}")
    return failed


def _print_about(about: dict[str, object]) -> None:
    for key, value in about.items():
        if isinstance(value, dict):
            value = "; ".join(f"{name} {each}" for name, each in value.items())
        if value:
            print(f"{key:8} {value}")


def _options(argv: Sequence[str] | None) -> RunOptions:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each phase (default 60)")
    parser.add_argument("--long", action="store_true", help=f"{LONG_S:.0f} seconds a phase")
    parser.add_argument("--only", default=",".join(PHASES), help=f"phases, of: {','.join(PHASES)}")
    parser.add_argument(
        "--weights", default=None, help=f"a path or a name (default: {WEIGHTS} in ../shared, else people)"
    )
    parser.add_argument("--connects", type=int, default=200, help="how many times to connect and leave (default 200)")
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="how many events to look through (default 1000000)"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for content, logs and results")
    given = parser.parse_args(argv)
    phases = tuple(given.only.split(","))
    for phase in phases:
        if phase not in PHASES:
            parser.error(f"unknown phase {phase!r}, have: {', '.join(PHASES)}")
    if given.connects < MIN_CONNECTS:
        parser.error(f"--connects {given.connects}: at least {MIN_CONNECTS} are needed to tell growth from noise")
    shared = shared_dir() / "models" / WEIGHTS
    weights = given.weights or (str(shared.resolve()) if shared.exists() else "people")
    out: Path = given.out.resolve()
    return RunOptions(phases, weights, LONG_S if given.long else given.seconds, given.connects, given.events, out)


if __name__ == "__main__":
    sys.exit(main())
