"""The version that is installed. In a file of its own: `vedette --version` has no need of the server."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def get_version() -> str:
    """The installed version."""
    try:
        return version("vedette")
    except PackageNotFoundError:
        return "0 (not installed)"
