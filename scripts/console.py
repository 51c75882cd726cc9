"""Numbered steps on the terminal: what is being done, how long it takes, and the output of what failed."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

STILL_AT_IT_S = 30
"""How often a step says that it goes on where there is no terminal to redraw a line on."""

TAIL_LINES = 60


class StepFailed(Exception):
    """A step did not work; the message says what to do."""


class Steps:
    """Prints `[n/total] what it does … seconds`. The output of commands goes to a log file."""

    def __init__(self, total: int, log: Path) -> None:
        self._total = total
        self._number = 0
        self._log = log
        self._live = sys.stdout.isatty()

    def say(self, text: str, done: str = "") -> None:
        """A step that needs nothing, or a word about one."""
        self._number += 1
        print(self._label(text) + (f"  {done}" if done else ""), flush=True)

    def note(self, text: str) -> None:
        """An indented line under the current step."""
        print(f"      {text}", flush=True)

    def run(self, text: str, *commands: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        """Run the commands one after the other as one step. Raises StepFailed with the end of their output."""
        self._number += 1
        began = time.monotonic()
        label = self._label(text)
        if not self._live:
            print(label, flush=True)
        for command in commands:
            code, tail = self._follow(label, command, began, cwd, {**os.environ, **(env or {})})
            if code != 0:
                self._clear()
                shown = "\n".join(f"      | {line}" for line in tail)
                raise StepFailed(
                    f"{label}: failed ({command[0]} ended with {code}). Its last words:\n{shown}\n"
                    f"      All of it: {self._log}"
                )
        took = time.monotonic() - began
        self._clear()
        print(f"{label}  {took:.0f} s" if self._live else f"      done in {took:.0f} s", flush=True)

    def _label(self, text: str) -> str:
        return f"[{self._number}/{self._total}] {text}"

    def _clear(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", flush=True)

    def _follow(
        self, label: str, command: list[str], began: float, cwd: Path | None, env: dict[str, str]
    ) -> tuple[int, list[str]]:
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as process,
            selectors.DefaultSelector() as selector,
        ):
            print(f"$ {' '.join(command)}", file=log, flush=True)
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            selector.register(process.stdout, selectors.EVENT_READ)
            rest, told = b"", time.monotonic()
            while True:
                if selector.select(timeout=0.5):
                    chunk = process.stdout.read()
                    if chunk == b"":
                        break
                    *lines, rest = (rest + (chunk or b"")).split(b"\n")
                    for line in lines:
                        text = line.decode(errors="replace").rstrip()
                        tail.append(text)
                        print(text, file=log, flush=True)
                now = time.monotonic()
                doing = tail[-1].strip() if tail else ""
                if self._live:
                    print(f"\r\x1b[K{label}  {now - began:.0f} s  {doing}"[: _columns()], end="", flush=True)
                elif now - told > STILL_AT_IT_S:
                    told = now
                    self.note(f"{now - began:.0f} s: {doing[:100]}")
        return process.returncode, list(tail)


def _columns() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 80
