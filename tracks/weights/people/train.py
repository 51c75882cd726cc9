"""How yolo26p-people.pt was trained, from random weights.

    python -m tracks.weights.people.train DATASET OUT [--hours 1.15] [--model yolo26p.yaml] [--size 320] [--epochs 120]

DATASET holds images/{train,val} and labels/{train,val} in YOLO's format, with one class, person. Two CPU cores
with --hours 1.15 came to 80 epochs; with a GPU take a larger model and a few hundred epochs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


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


def train(dataset: Path, out: Path, model: str, size: int, epochs: int, hours: float | None) -> Path:
    """Train and return the best checkpoint."""
    from ultralytics.models import YOLO

    out.mkdir(parents=True, exist_ok=True)
    spec = out / "data.yaml"
    spec.write_text(f"path: {dataset}\ntrain: images/train\nval: images/val\nnames: {{0: person}}\n")
    gpu = torch.cuda.is_available()
    yolo = YOLO(Path(__file__).with_name(model))
    yolo.train(
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
        close_mosaic=12,
        cos_lr=True,
        optimizer="AdamW",
        lr0=0.002,
        lrf=0.02,
        warmup_epochs=2,
        scale=0.8,
        translate=0.2,
        mixup=0.05,
        degrees=5,
        val=False,
    )
    return Path(out, "people", "weights", "best.pt")


def main() -> None:
    """Train with what the command line says and name the checkpoint."""
    parser = argparse.ArgumentParser(description="Train the bundled person detector.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="yolo26p.yaml", help="an architecture beside this file")
    parser.add_argument("--size", type=int, default=320, help="pixels")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--hours", type=float, default=None, help="stop after this long, whatever the epochs")
    given = parser.parse_args()
    library = None if torch.cuda.is_available() else stand_in_for_torchvision()
    best = train(given.dataset.resolve(), given.out.resolve(), given.model, given.size, given.epochs, given.hours)
    del library
    print(f"{best}: measure it with python -m tracks.weights.evaluate {given.dataset} --detector {best}")


if __name__ == "__main__":
    main()
