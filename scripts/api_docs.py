"""Writes docs/api.md anew, of what the server's routes declare: `python -m scripts.api_docs`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import NoReturn

from server.api import declared
from server.api.document import document
from server.api.markdown import page
from server.app import serve
from server.settings import Settings
from server.version import get_version
from tracks.errors import ModelUnavailable

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"


def main() -> None:
    """Make the page of a server that loads no model and listens nowhere."""
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(asyncio.run(_page(Path(folder))), "utf-8")


async def _page(data_dir: Path) -> str:
    async with serve(Settings(data_dir=data_dir), load=_nothing, load_asr=_nothing) as server:
        return page(document(declared(server.app).values(), get_version()))


def _nothing(*_args: object, **_options: object) -> NoReturn:
    raise ModelUnavailable("not needed to describe the API")


if __name__ == "__main__":
    main()
