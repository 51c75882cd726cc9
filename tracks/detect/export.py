"""Exports of .pt weights for the faster runtimes: made once, in a process of their own, and kept by content.

The child process holds torch, ultralytics and whatever the checkpoint does to them; it ends with the export, and this
process never pays their memory (some 300 MB) when it only runs the result.

Exports are dynamic: one serves every rectangle and batch. That costs YOLO26's end-to-end head; its other head and our
suppression take its place, and are better: mAP50 0.756 instead of 0.684 with the bundled model at 416 pixels.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from ..errors import ModelUnavailable
from ..silence import silence_libraries
from .confine import environment
from .options import Options
from .weights import Weights, WeightsRefused

TIMEOUT_S = 300.0
"""The longest an export may take; the largest models need about a minute on two cores."""
REFUSED = 3
"""Exit status of the child when the weights themselves are at fault."""
_SUMS = "SHA256SUMS"

Target = Literal["openvino", "onnx"]


def exported(weights: Weights, target: Target, options: Options) -> Path:
    """The .xml or .onnx file of an FP32 export of `weights`, from the cache or made now. Blocking, 5 to 60 s when made.

    The cache is keyed by weights, target and exporter, and checked by hash: a damaged entry is made again. Raises
    WeightsRefused when the weights are hostile or damaged, ModelUnavailable when the export fails.
    """
    version = importlib.metadata.version("ultralytics")
    folder = options.cache_dir / "exports" / f"{weights.sha256[:32]}-{target}-fp32-dynamic-{version}"
    if not _intact(folder):
        options.report(f"exporting {weights.name} to {target} (once, 5 to 60 s)")
        _make(weights, target, folder, options)
    return next(folder.glob("*.xml" if target == "openvino" else "*.onnx"))


def _make(weights: Weights, target: Target, folder: Path, options: Options) -> None:
    """Export into a folder beside the final one, then rename: no reader ever sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as making:
        work = Path(making)
        # ultralytics writes beside the weights, and theirs may be read-only.
        shutil.copyfile(weights.path, work / "model.pt")
        result = _run([str(work / "model.pt"), target], options.cache_dir)
        if result.returncode != 0:
            why = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
            kind = WeightsRefused if result.returncode == REFUSED else ModelUnavailable
            raise kind(f"{weights.path} cannot be exported to {target}: {why}")
        made = work / "model_openvino_model"
        if target == "onnx":
            made.mkdir()
            (work / "model.onnx").rename(made / "model.onnx")
        (made / _SUMS).write_text(_sums(made))
        shutil.rmtree(folder, ignore_errors=True)
        try:
            made.rename(folder)
        except OSError as error:
            if not _intact(folder):  # another process may have been faster
                raise ModelUnavailable(f"export cache {folder} cannot be written: {error.strerror}") from error


def _run(arguments: list[str], cache_dir: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(each for each in sys.path if each)
    variables = {**os.environ, **environment(cache_dir), "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tracks.detect.export", *arguments]
    # In a session of its own, since Ctrl-C on the server is not meant for it: it ends with this process instead.
    child = subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    atexit.register(child.kill)
    try:
        output, errors = child.communicate(timeout=TIMEOUT_S)
        return subprocess.CompletedProcess(command, child.returncode, output, errors)
    except subprocess.TimeoutExpired as error:
        raise ModelUnavailable(f"the export did not end within {TIMEOUT_S:.0f} s") from error
    finally:
        atexit.unregister(child.kill)
        child.kill()
        child.communicate()


def _sums(folder: Path) -> str:
    files = sorted(each for each in folder.iterdir() if each.name != _SUMS)
    return "".join(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in files)


def _intact(folder: Path) -> bool:
    """Whether the folder holds exactly what was written."""
    try:
        return (folder / _SUMS).read_text() == _sums(folder)
    except (OSError, UnicodeDecodeError):
        return False


def main(path: str, target: str) -> int:
    """Export one checkpoint beside itself; the entry of the child process."""
    silence_libraries()
    from ultralytics.models import YOLO
    from ultralytics.utils import SAFE_LOAD

    if not SAFE_LOAD:
        raise SystemExit("refusing to load a checkpoint without ULTRALYTICS_SAFE_LOAD")
    try:
        model = YOLO(path, task="detect")
    except Exception as error:  # what a hostile or damaged checkpoint raises is up to it
        print(" ".join(str(error).split()), file=sys.stderr)
        return REFUSED
    if model.task != "detect":
        print(f"it is a model for {model.task!r}, expected 'detect'", file=sys.stderr)
        return REFUSED
    options = {"simplify": False} if target == "onnx" else {}
    model.export(format=target, dynamic=True, verbose=False, **options)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
