"""The table of docs/access.md: every route, and who may use it. Run as a program, it writes it anew."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from server.api import declared
from server.app import serve
from server.roles import Role
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad

PAGE = Path(__file__).resolve().parents[2] / "docs/access.md"
HEAD = "| route | open | viewer | operator | admin |\n|---|---|---|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


async def table_of(data_dir: Path) -> str:
    """The table as the code has it, by path."""
    serving = serve(
        Settings(data_dir=data_dir),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server:
        needs = {(each.plain_path, each.method): each.role for each in declared(server.app).values() if not each.hidden}
    return HEAD + "".join(_row(f"{method} {path}", role) for (path, method), role in sorted(needs.items()))


def _row(name: str, needed: Role | None) -> str:
    marks = ["yes" if needed is None or (who is not None and who >= needed) else "" for who in (None, *Role)]
    return f"| `{name}` |{''.join(f' {mark} |' if mark else ' |' for mark in marks)}\n"


def read_table(page: str) -> str:
    """The table that the page has."""
    found = _TABLE.search(page)
    return "" if found is None else found[0]


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as folder:
        table = asyncio.run(table_of(Path(folder)))
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(read_table(page), table), "utf-8")


if __name__ == "__main__":
    main()
