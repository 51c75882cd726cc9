"""What every back end does with the hints that it is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidRequest
from ..registry import ModelSpec
from ..types import Utterance
from . import AsrInfo, Hints


def merged(hints: Hints, spec: ModelSpec) -> Hints:
    """The hints, and the registry's where there are none."""
    return Hints(
        hints.language or spec.language or None,
        hints.prompt or spec.prompt or None,
        hints.hotwords or spec.hotwords or None,
        hints.temperature,
    )


def check_language(hints: Hints, info: AsrInfo) -> None:
    """Raises InvalidRequest when the engine does not know the language that is asked for."""
    if hints.language is not None and info.languages and hints.language not in info.languages:
        have = ", ".join(info.languages)
        raise InvalidRequest(f"{info.name} does not know language {hints.language!r}, have: {have}")


def check_batch(utterances: Sequence[Utterance], max_batch: int) -> None:
    """Raises InvalidRequest when there are too many."""
    if len(utterances) > max_batch:
        raise InvalidRequest(f"at most {max_batch} utterances at once, got {len(utterances)}")
