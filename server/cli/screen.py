"""Consoles for what the commands print: colour on a terminal only (and not with NO_COLOR), at most 100 columns."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

MAX_COLUMNS = 100


def console(*, errors: bool = False) -> Console:
    """A console on stdout, or on stderr; rich sees to terminals and NO_COLOR."""
    made = Console(stderr=errors, highlight=False, markup=False, emoji=False)
    made.width = min(MAX_COLUMNS, made.width) if made.is_terminal else MAX_COLUMNS
    return made


def grid(*headings: str) -> Table:
    """A table without lines whose columns are two blanks apart; without headings when none are given."""
    table = Table(*headings, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.show_header = bool(headings)
    return table


def print_json(value: Any) -> None:
    """For programs: one JSON document on stdout, never wrapped, in plain ASCII."""
    print(json.dumps(value, indent=2), file=sys.stdout)
