"""How yolo26p-people.pt was trained, in two steps, the second of them twice.

    python -m tracks.weights.people.train DATASET OUT/1 --epochs 80
    python -m tracks.weights.people.train DATASET OUT/2 --epochs 5 --closeups --model OUT/1/people/weights/last.pt
    python -m tracks.weights.people.train DATASET OUT/3 --epochs 15 --closeups --model OUT/2/people/weights/last.pt

DATASET holds images/{train,val} and labels/{train,val} in YOLO's format, with one class, person; names of frames of a
clip begin with v_. ultralytics writes caches into it. The first step begins with random weights and takes the pictures
as they are, the second adds windows cut around people (closeups.py). With a GPU take a larger model and a few hundred
epochs.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .closeups import make_closeups, one_person_each

if TYPE_CHECKING:
    from ultralytics.engine.trainer import BaseTrainer

SCRATCH = {"lr0": 0.002, "warmup_epochs": 2, "close_mosaic": 12, "scale": 0.8, "mixup": 0.05}
"""Settings of ultralytics' trainer for the first step."""

CLOSEUPS = {
    "freeze": 3,  # layers: edges and colours are the same close up, and these take the most time
    "lr0": 0.001,
    "warmup_epochs": 0.3,
    "warmup_bias_lr": 0.0,  # the default, 0.1, is meant for random weights
    "nbs": 16,  # a step for every batch: there are few
    "mosaic": 0.3,  # it makes people small
    "close_mosaic": 0,
    "scale": 0.5,
    "multi_scale": 0.3,
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


def load_beside(trainer: BaseTrainer) -> None:
    """Let a process of its own load pictures: ultralytics does it between the steps when it trains on a CPU."""
    trainer.args.workers = 1


def use_the_cpu(trainer: BaseTrainer) -> None:
    """Compute in bfloat16 with channels together in memory, on all cores, of which ultralytics leaves one out.

    A step of this model takes 0.28 s instead of 0.78 s on two cores with AVX-512. What the loss sees is float32:
    bfloat16 cannot tell places a pixel apart.
    """
    model: Any = trainer.model
    model.to(memory_format=torch.channels_last)
    predict = model.predict

    def quick(*arguments: Any, **options: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            found = predict(*arguments, **options)
        return as_float(found)

    model.predict = quick
    torch.set_num_threads(os.cpu_count() or 1)


def as_float(found: Any) -> Any:
    """Every tensor in dicts and lists of a model's output as float32."""
    if isinstance(found, dict):
        return {name: as_float(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [as_float(value) for value in found]
    return found.float()


def pictures_and_closeups(dataset: Path, out: Path) -> Path:
    """Write a list of training pictures: those of the dataset, and people close up that are cut out of them here.

    Frames of one clip are all alike: every third is taken.
    """
    pictures = sorted((dataset / "images" / "train").glob("*.jpg"))
    frames = [path for path in pictures if path.name.startswith("v_")]
    kept = [path for path in pictures if not path.name.startswith("v_")]
    kept += one_person_each(frames[::3], out / "frames")
    cut = make_closeups(kept, out / "closeups", per_person=2, empty=240, seed=0)
    listed = out / "train.txt"
    listed.write_text("\n".join(map(str, kept * 2 + cut)))
    return listed


def train(dataset: Path, out: Path, model: Path, closeups: bool, size: int, epochs: int, hours: float | None) -> Path:
    """Train and return the last checkpoint (averaged weights; none is chosen by the validation split)."""
    from ultralytics.models import YOLO

    out.mkdir(parents=True, exist_ok=True)
    spec = out / "data.yaml"
    pictures = pictures_and_closeups(dataset, out) if closeups else dataset / "images" / "train"
    spec.write_text(f"path: {dataset}\ntrain: {pictures}\nval: images/val\nnames: {{0: person}}\n")
    gpu = torch.cuda.is_available()
    yolo = YOLO(model)
    if not gpu:
        yolo.add_callback("on_pretrain_routine_start", load_beside)
        yolo.add_callback("on_train_start", use_the_cpu)
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
