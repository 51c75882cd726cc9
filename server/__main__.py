"""`python -m server`: the same as `vedette serve`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .cli.app import main as run


def main(arguments: Sequence[str] = ()) -> int:
    """Run the server until it is told to stop; returns the exit status."""
    return run(["serve", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
