"""Names that are chosen from those that there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tracks.errors import InvalidRequest


def check_known(what: str, given: Collection[str], known: Sequence[str]) -> None:
    """Raise InvalidRequest for the first of the names that is not known, with those that are."""
    for name in given:
        if name not in known:
            raise InvalidRequest(f"unknown {what} {name!r}, have: {', '.join(known)}")
