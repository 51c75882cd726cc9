from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from server.recognisers import Recognisers
from tests.fakes_speech import BeepAsr
from tracks.errors import NotFound
from tracks.registry import Registry


async def test_what_a_client_names_is_neither_fetched_nor_replaced(tmp_path: Path) -> None:
    """That is for who runs the server: its own choice may be fetched, and something else may run in its place."""
    asked: list[tuple[str, bool, bool]] = []

    def load(choice: str, *, fallback: bool, fetch: bool, **options: Any) -> BeepAsr:
        asked.append((choice, fallback, fetch))
        return BeepAsr()

    recognisers = Recognisers(Registry.load(), choice="whisper-base", data_dir=tmp_path, force_cpu=True, load=load)
    await recognisers.worker().start()
    await recognisers.worker("whisper-small").start()
    await recognisers.worker("whisper-base").start()
    with pytest.raises(NotFound, match="unknown asr model 'someone/else', have: "):
        recognisers.worker("someone/else")
    await recognisers.close()
    assert asked == [("whisper-base", True, True), ("whisper-small", False, False)]
