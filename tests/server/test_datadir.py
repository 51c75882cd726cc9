from __future__ import annotations

from pathlib import Path

import pytest

from server.datadir import DataDir
from tracks.errors import Conflict


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """A second holder is refused while there is a first, and let in afterwards."""
    with DataDir(tmp_path / "data"), pytest.raises(Conflict, match="VEDETTE_DATA_DIR"):
        DataDir(tmp_path / "data").__enter__()
    with DataDir(tmp_path / "data"):
        pass


def test_the_node_keeps_its_name(tmp_path: Path) -> None:
    """The name is made once, and another directory has another."""
    with DataDir(tmp_path / "a") as first, DataDir(tmp_path / "b") as other:
        name = first.node
        assert name
        assert other.node != name
    with DataDir(tmp_path / "a") as again:
        assert again.node == name
