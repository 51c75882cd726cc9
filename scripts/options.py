"""What every script needs to know from the Makefile."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .environment import Environment

ROOT = Path(__file__).resolve().parent.parent

DEVELOPER_EXTRAS = frozenset({"lint", "test"})
"""Extras of pyproject.toml that developers need and users do not."""


def environment_from_arguments(description: str | None) -> Environment:
    """The virtual environment that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help="the virtual environment")
    parser.add_argument("--torch-index", default="", help="where torch comes from: a URL, or `default` for pip's own")
    given = parser.parse_args()
    # abspath, not resolve: `bin/python` of a virtual environment is a link that leads out of it.
    return Environment(ROOT, Path(os.path.abspath(given.venv)), given.torch_index)
