"""Folders of Whisper models in CTranslate2's format: complete, and what they should be."""

from __future__ import annotations

from pathlib import Path

from ..detect.weights import WeightsRefused, digest
from ..errors import ModelUnavailable

FILES = ("model.bin", "config.json", "tokenizer.json")
"""What must be there. Without tokenizer.json faster-whisper would fetch one of OpenAI's from the hub, unasked."""


def complete(folder: Path, sha256: str | None = None) -> Path:
    """The folder, once it is known to hold a model; with `sha256`, the model.bin of that hash.

    Blocking. Raises ModelUnavailable when something is missing, WeightsRefused when the hash is another.
    """
    if not folder.is_dir():
        raise ModelUnavailable(f"recogniser {folder} is no folder, expected one of a CTranslate2 model")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if not any(folder.glob("vocabulary.*")):
        missing.append("vocabulary.json")
    if missing:
        raise ModelUnavailable(f"recogniser {folder} is incomplete: it has no {', '.join(missing)}")
    if sha256 is not None:
        actual = digest(folder / "model.bin")
        if actual != sha256:
            raise WeightsRefused(f"{folder / 'model.bin'} has sha256 {actual}, expected {sha256}: not loaded")
    return folder
