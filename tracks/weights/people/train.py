"""How yolo26p-people.pt was trained, in two steps.

    python -m tracks.weights.people.train DATASET OUT/scratch --hours 1.15
    python -m tracks.weights.people.train DATASET OUT/closeups --closeups --model OUT/scratch/people/weights/last.pt \
        --hours 0.75

DATASET holds images/{train,val} and labels/{train,val} in YOLO's format, with one class, person; names of frames of a
clip begin with v_. The first step begins with random weights and the pictures as they are, the second adds windows cut
around people (closeups.py). With a GPU take a larger model and a few hundred epochs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .closeups import make_closeups

SCRATCH = {"lr0": 0.002, "warmup_epochs": 2, "close_mosaic": 12, "scale": 0.8, "mixup": 0.05}
"""Settings of ultralytics' trainer for the first step."""

CLOSEUPS = {
    "lr0": 0.001,
    "warmup_epochs": 0.3,
    "warmup_bias_lr": 0.0,  # the default, 0.1, is meant for random weights
    "nbs": 16,  # a step for every batch: there are few
    "mosaic": 0.4,  # it makes people small
    "close_mosaic": 0,
    "scale": 0.5,
    "multi_scale": 0.25,
}
"""Settings of ultralytics' trainer for the second step."""


def stand_in_for_torchvision() -> torch.library.Library:
    """Give a CPU torch the one operator that ultralytics' trainer takes from torchvision.

    There is no CPU build of torchvision: beside CPU torch its own operators do not load, and its import raises. On a
    machine with a matching torchvision this must not be called. The operators go when the returned library does.
    """
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]

    def nms(boxes: torch.Tensor, scores: torch.Tensor, overlap: float) -> torch.Tensor:
        from ultralytics.utils.nms import TorchNMS

        kept: torch.Tensor = TorchNMS.nms(boxes, scores, overlap)
        return kept

    library.impl("nms", nms, "CPU")  # type: ignore[no-untyped-call]
    import torchvision.extension  # type: ignore[import-untyped]
    import torchvision.ops.boxes  # type: ignore[import-untyped]

    torchvision.extension._assert_has_ops = lambda: None
    torchvision.ops.boxes._assert_has_ops = lambda: None
    return library


def pictures_and_closeups(dataset: Path, out: Path) -> Path:
    """Write a list of training pictures: those of the dataset, and people close up that are cut out of them here.

    Frames of one clip are all alike: every third is taken.
    """
    pictures = sorted((dataset / "images" / "train").glob("*.jpg"))
    frames = [path for path in pictures if path.name.startswith("v_")]
    kept = [path for path in pictures if not path.name.startswith("v_")] + frames[::3]
    cut = make_closeups(kept, out / "closeups", per_person=1, empty=120, seed=0)
    listed = out / "train.txt"
    listed.write_text("\n".join(map(str, kept + cut)))
    return listed


def train(dataset: Path, out: Path, model: Path, closeups: bool, size: int, epochs: int, hours: float | None) -> Path:
    """Train and return the last checkpoint (averaged weights; none is chosen by the validation split)."""
    from ultralytics.models import YOLO

    out.mkdir(parents=True, exist_ok=True)
    spec = out / "data.yaml"
    pictures = pictures_and_closeups(dataset, out) if closeups else dataset / "images" / "train"
    spec.write_text(f"path: {dataset}\ntrain: {pictures}\nval: images/val\nnames: {{0: person}}\n")
    gpu = torch.cuda.is_available()
    YOLO(model).train(
        data=spec,
        imgsz=size,
        epochs=epochs,
        time=hours,
        batch=16,
        workers=8 if gpu else 1,
        device=0 if gpu else "cpu",
        project=str(out),
        name="people",
        exist_ok=True,
        amp=False,  # it would fetch a model to test itself with
        plots=False,
        cache=True,
        cos_lr=True,
        optimizer="AdamW",
        lrf=0.02,
        translate=0.2,
        degrees=5,
        val=False,
        **(CLOSEUPS if closeups else SCRATCH),
    )
    return Path(out, "people", "weights", "last.pt")


def main() -> None:
    """Train with what the command line says and name the checkpoint."""
    parser = argparse.ArgumentParser(description="Train the bundled person detector.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    architecture = Path(__file__).with_name("yolo26p.yaml")
    parser.add_argument("--model", type=Path, default=architecture, help="an architecture, or weights to go on from")
    parser.add_argument("--closeups", action="store_true", help="add windows cut around people")
    parser.add_argument("--size", type=int, default=320, help="pixels")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--hours", type=float, default=None, help="stop after this long, whatever the epochs")
    given = parser.parse_args()
    library = None if torch.cuda.is_available() else stand_in_for_torchvision()
    last = train(
        given.dataset.resolve(),
        given.out.resolve(),
        given.model,
        given.closeups,
        given.size,
        given.epochs,
        given.hours,
    )
    del library
    print(f"{last}: measure it with python -m tracks.weights.evaluate {given.dataset} --detector {last}")


if __name__ == "__main__":
    main()
