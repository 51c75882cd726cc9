"""The screen of `doctor`, and the same for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from ..health import Status
from ..logs import redact
from . import screen
from .findings import Findings

WORDS: Mapping[Status, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "degraded": ("warning", "yellow"),
    "failed": ("failed", "bold red"),
}
"""Word and style."""


def show(findings: Findings, console: Console) -> None:
    """Print a line or some for each finding, each with what to do about it, and the verdict."""
    table = screen.grid()
    for name, result in findings.checks.items():
        word, style = WORDS[result.status]
        text = Text(redact(str(result.detail.get("text") or result.detail.get("error") or "")))
        if remedy := result.detail.get("remedy"):
            text.append(f"\n-> {redact(remedy)}", style=style)
        table.add_row(Text(word, style=style), Text(name, style="bold"), text)
    console.print(Text(f"Vedette {findings.version}", style="bold"))
    console.print(table)
    failed, warnings = findings.count("failed"), findings.count("degraded")
    if failed:
        verdict = Text(f"No server can run here yet: {_many(failed, 'thing')} to put right first.", style="bold red")
    else:
        running = findings.checks["address"].detail.get("running")
        verdict = Text("A server is running here" if running else "A server can run here")
        verdict.append(f", with {_many(warnings, 'warning')}" if warnings else "")
        verdict.append("." if running else ": vedette serve")
        verdict.stylize("yellow" if warnings else "green")
    console.print(verdict)


def as_json(findings: Findings) -> Any:
    """JSON-ready, in the form of /health's answer."""
    status: Status = "failed" if findings.count("failed") else "degraded" if findings.count("degraded") else "ok"
    checks = {name: {"status": each.status, **each.detail} for name, each in findings.checks.items()}
    return _redacted({"status": status, "version": findings.version, "checks": checks})


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list) else value


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
