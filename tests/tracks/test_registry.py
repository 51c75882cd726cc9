"""The registry of models, profiles and back ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracks.errors import InvalidRequest, ModelUnavailable, NotFound
from tracks.registry import DETECTORS, SOURCES, TRACKERS, Registry, resolve


def written(folder: Path, text: str) -> Path:
    """A registry file with this text."""
    path = folder / "models.toml"
    path.write_text(text)
    return path


def test_every_back_end_can_be_imported() -> None:
    """No entry of the registry names something that is not there."""
    for target in (*DETECTORS.values(), *TRACKERS.values(), *SOURCES.values()):
        assert callable(resolve(target))


def test_a_back_end_that_is_not_there_is_an_error_that_names_it() -> None:
    """A wrong entry does not vanish."""
    for target in ("tracks.detect.nowhere:load", "tracks.detect.openvino:nothing", "tracks.detect.openvino", ""):
        with pytest.raises(ModelUnavailable, match=repr(target)):
            resolve(target)


def test_the_registry_loads_without_torch_or_a_runtime() -> None:
    """Reading names costs nothing: big libraries are imported when something is chosen."""
    code = (
        "import sys, tracks.detect.load; tracks.detect.load.Registry.load();"
        "print([m for m in ('torch', 'ultralytics', 'openvino', 'onnxruntime') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bundled_registry_has_the_three_profiles_and_bundled_weights() -> None:
    """What the interface names is there, with its default overlays."""
    registry = Registry.load()
    overlays = {name: profile.overlay for name, profile in registry.profiles.items()}
    assert overlays == {"fast": "smooth", "accurate": "exact", "cpu-only": "smooth"}
    assert registry.profile("cpu-only").force_cpu
    bundled = registry.bundled_detector
    assert bundled.file is not None
    assert bundled.file.is_file()
    assert bundled.sha256 is not None


def test_auto_follows_the_machine() -> None:
    """`auto` is accurate with a GPU, fast without, cpu-only when the CPU is forced."""
    registry = Registry.load()
    assert registry.profile("auto", gpu=True).name == "accurate"
    assert registry.profile("auto").name == "fast"
    assert registry.profile("auto", gpu=True, force_cpu=True).name == "cpu-only"


def test_unknown_names_are_told_with_the_choices() -> None:
    """The error names the wrong value and what would be right."""
    registry = Registry.load()
    with pytest.raises(NotFound, match=r"'yol', have: people"):
        registry.model("yol")
    with pytest.raises(NotFound, match=r"'quick', have: accurate, auto, cpu-only, fast"):
        registry.profile("quick")
    with pytest.raises(NotFound, match="unknown asr model 'people'"):
        registry.model("people", "asr")


def test_a_file_is_merged_over_the_bundled_one(tmp_path: Path) -> None:
    """Its entries replace those of the same name, its paths are its own folder's, the rest stays."""
    path = written(
        tmp_path,
        """
        [models.mine]
        task = "detect"
        file = "nets/mine.onnx"
        [profiles.fast]
        detector = "mine"
        input_size = 320
        confidence = 0.5
        overlay = "exact"
        max_rate_hz = 5
        force_cpu = true
        """,
    )
    registry = Registry.load(path)
    assert registry.model("mine").file == tmp_path.resolve() / "nets" / "mine.onnx"
    assert registry.profile("fast").detector == "mine"
    assert registry.profile("accurate").overlay == "exact"
    assert registry.model("people").bundled


def test_nothing_can_hide_the_bundled_weights(tmp_path: Path) -> None:
    """A merged entry of the same name does not change what is fallen back to."""
    path = written(tmp_path, '[models.people]\ntask = "detect"\nfile = "evil.pt"\nbundled = true\n')
    registry = Registry.load(path)
    assert registry.model("people").file == tmp_path.resolve() / "evil.pt"
    assert registry.bundled_detector == Registry.load().model("people")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = 3", "models must hold one table per name"),
        ("[[nothing", "cannot be read"),
        ("[other]", "unknown table 'other', have: models, profiles"),
        ('[models.m]\ntask = "detect"', "needs either file or hub"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\nhub = "a.pt"', "needs either file or hub"),
        ('[models.m]\ntask = "smell"\nfile = "a.pt"', "unknown task 'smell', have: detect, asr, vad"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\nsha265 = "0"', "unknown key 'sha265', have: task, file"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\nsha256 = "00"', "is not 64 hexadecimal digits"),
        ('[models.m]\ntask = "detect"\nfile = "../../etc/a.pt"', "leaves the registry's folder"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\ninput_size = "big"', "input_size must be int, got 'big'"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\ninput_size = true', "input_size must be int, got True"),
        ('[models.m]\ntask = "detect"\nfile = "a.pt"\nruntime = "tpu"', "unknown runtime 'tpu', have: auto, cuda"),
        ('[models.m]\nfile = "a.pt"', "missing task"),
        ('[profiles.p]\ndetector = "auto"', "missing input_size, confidence, overlay, max_rate_hz, force_cpu"),
    ],
)
def test_a_wrong_registry_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """Every mistake names the file, the entry, the value and the choices."""
    path = written(tmp_path, text)
    with pytest.raises(InvalidRequest) as caught:
        Registry.load(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message


def test_a_registry_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A configured file that cannot be read is no empty registry."""
    with pytest.raises(InvalidRequest, match=r"nowhere\.toml cannot be read"):
        Registry.load(tmp_path / "nowhere.toml")
