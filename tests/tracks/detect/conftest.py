"""Detectors on real weights; exports are made once for all tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from tracks.detect import Detector
from tracks.detect.load import load_detector
from tracks.registry import Registry

Load = Callable[..., Detector]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory, with one cache of exports, for all tests that do not damage it."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def load(data_dir: Path) -> Iterator[Load]:
    """`load_detector` with the defaults of these tests; what it gave is closed afterwards."""
    made: list[Detector] = []

    def start(choice: str = "people", **options: object) -> Detector:
        settings = {
            "registry": Registry.load(),
            "data_dir": data_dir,
            "report": lambda _: None,
            "threads": 1,
            **options,
        }
        made.append(load_detector(choice, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for detector in made:
        detector.close()


@pytest.fixture(scope="session")
def bus() -> av.VideoFrame:
    """ultralytics' photograph of a bus and four people, 810x1080, which no model here was trained on."""
    return _asset("bus.jpg")


@pytest.fixture(scope="session")
def zidane() -> av.VideoFrame:
    """ultralytics' photograph of two people, 1280x720."""
    return _asset("zidane.jpg")


def _asset(name: str) -> av.VideoFrame:
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    with av.open(str(Path(spec.origin).parent / "assets" / name)) as container:
        return next(container.decode(video=0))
