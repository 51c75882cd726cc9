"""What is loaded for a choice, what is refused, and what runs instead."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import av
import numpy as np
import onnx
import pytest

from tracks.detect import Detector
from tracks.detect.export import exported
from tracks.detect.options import Options
from tracks.detect.weights import WeightsRefused, digest, verified
from tracks.errors import InvalidRequest, ModelUnavailable, NotFound
from tracks.registry import Registry

pytestmark = pytest.mark.timeout(240)  # an export takes 5 s alone and a minute on a busy machine

Load = Callable[..., Detector]
SHA256 = Registry.load().bundled_detector.sha256
BUNDLED = Registry.load().bundled_detector.file or Path()


class Hub:
    """A server on this machine in the hub's place."""

    def __init__(self) -> None:
        hub = self
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.redirect = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                body = hub.files.get(self.path.removeprefix("/"))
                if hub.redirect:
                    self.send_response(302)
                    self.send_header("Location", hub.redirect)
                    self.end_headers()
                elif body is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body) + (1000 if "cut" in self.path else 0)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that has the bundled weights under another name."""
    server = Hub()
    server.files["yolo99n.pt"] = BUNDLED.read_bytes()
    yield server
    server.close()


def in_place_of(detector: Detector, *words: str) -> None:
    """The bundled weights run, and their info says in the place of what."""
    assert detector.info.sha256 == SHA256
    assert detector.info.fallback
    for word in words:
        assert word in detector.info.reason


def test_auto_is_the_bundled_model_without_a_network(load: Load) -> None:
    """With nothing fetched, `auto` is what ships, on the first runtime of this machine, and no fallback."""
    detector = load("auto")
    assert detector.info.name == "people"
    assert not detector.info.fallback
    assert "ship with Vedette" in detector.info.reason


def test_force_cpu_wins_over_a_gpu(load: Load) -> None:
    """A GPU that is asked for is not used when the CPU is forced, and the reason says so."""
    detector = load("people", runtime="cuda", force_cpu=True)
    assert detector.info.device == "cpu"
    assert "the CPU is forced" in detector.info.reason


def test_a_runtime_that_is_not_here_is_replaced_and_told(load: Load) -> None:
    """Asking for Apple's GPU elsewhere gives the best that is here, marked as a fallback."""
    in_place_of(load("people", runtime="mps"), "no Apple GPU")
    with pytest.raises(ModelUnavailable, match="no Apple GPU"):
        load("people", runtime="mps", fallback=False)
    with pytest.raises(InvalidRequest, match="unknown runtime 'tpu', have: auto, cuda"):
        load("people", runtime="tpu")


def test_a_word_that_is_no_model_is_an_error(load: Load) -> None:
    """A typing mistake does not quietly run something else."""
    with pytest.raises(NotFound, match="unknown detector 'yol', have: auto, people"):
        load("yol")


def test_a_path_to_nothing_falls_back_and_says_so(load: Load, tmp_path: Path) -> None:
    """A configured file that is missing is told, and the bundled weights run."""
    missing = tmp_path / "mine.pt"
    in_place_of(load(str(missing)), str(missing), "do not exist")
    with pytest.raises(ModelUnavailable, match="do not exist"):
        load(str(missing), fallback=False)


def test_a_wrong_hash_is_never_loaded(load: Load, tmp_path: Path) -> None:
    """A registry file that is not what it was is refused before anything parses it."""
    shutil.copy(BUNDLED, tmp_path / "mine.pt")
    path = tmp_path / "models.toml"
    path.write_text(f'[models.mine]\ntask = "detect"\nfile = "mine.pt"\nsha256 = "{"0" * 64}"\n')
    registry = Registry.load(path)
    in_place_of(load("mine", registry=registry), "expected " + "0" * 64, "not loaded")
    with pytest.raises(WeightsRefused, match="expected " + "0" * 64):
        load("mine", registry=registry, fallback=False)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_hostile_checkpoint_runs_nothing(load: Load, tmp_path: Path, runtime: str) -> None:
    """Code in a pickle is not run, in this process or in the exporter's, and the weights are refused."""
    witness = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {witness}",)

    path = tmp_path / "hostile.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hostile/data.pkl", pickle.dumps({"model": Hostile()}, protocol=2))
        archive.writestr("hostile/version", "3\n")
        archive.writestr("hostile/byteorder", "little")
    in_place_of(load(str(path), runtime=runtime), "hostile.pt")
    with pytest.raises(WeightsRefused, match=r"hostile\.pt"):
        load(str(path), runtime=runtime, fallback=False)
    assert not witness.exists()


@pytest.mark.parametrize("kept", [0, 100, 200_000])
def test_a_truncated_checkpoint_is_refused(load: Load, tmp_path: Path, kept: int) -> None:
    """Half a download is no model."""
    path = tmp_path / "half.pt"
    path.write_bytes(BUNDLED.read_bytes()[:kept])
    with pytest.raises(WeightsRefused, match="truncated or no PyTorch checkpoint"):
        load(str(path), fallback=False)
    in_place_of(load(str(path)), "half.pt")


def test_things_that_are_no_model_are_refused(tmp_path: Path) -> None:
    """Other files, empty folders, folders with two models and halves of models are told apart."""
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.xml").write_text("<net/>")
    for name, message in (("notes.txt", "is no model"), ("empty", "holds 0 models"), ("half", r"has no model\.bin")):
        with pytest.raises(WeightsRefused, match=message):
            verified(tmp_path / name, name)


def test_a_damaged_openvino_folder_falls_back(load: Load, shared: Path, tmp_path: Path) -> None:
    """Truncated weights beside a good graph do not run; the hash sees them, and so does the runtime."""
    folder = tmp_path / "damaged_openvino_model"
    shutil.copytree(shared / "models" / "yolov8n_int8_openvino_model", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    good = digest(folder / "yolov8n.xml")
    weights = folder / "yolov8n.bin"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsRefused, match=f"expected {good}"):
        verified(folder, "damaged", good)
    in_place_of(load(str(folder)), "damaged_openvino_model")


def test_onnx_with_data_elsewhere_is_refused(load: Load, tmp_path: Path) -> None:
    """A graph whose tensors lie in other files could read any file; its hash would not cover them."""
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "secret")
    onnx.external_data_helper.set_external_data(tensor, location="../../../etc/passwd")
    tensor.ClearField("raw_data")
    graph = onnx.helper.make_graph([], "graph", [], [], [tensor])
    path = tmp_path / "tricky.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    in_place_of(load(str(path)), "data in other files", "secret")


def test_an_export_is_a_model_like_any_other(load: Load, data_dir: Path, bus: av.VideoFrame) -> None:
    """The folder and the ONNX file that were exported can be chosen themselves."""
    load("people", runtime="openvino")
    load("people", runtime="onnxruntime")
    for pattern, runtime in (("*-openvino-*", "openvino"), ("*-onnx-*", "onnxruntime")):
        (folder,) = (data_dir / "cache" / "exports").glob(pattern)
        detector = load(str(folder))
        assert detector.info.runtime == runtime
        assert detector.info.labels == ("person",)
        assert detector.max_batch == 4


def test_an_export_is_made_once_and_again_when_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache serves what it made, makes again what was changed since, and nothing is written or sent elsewhere."""
    told: list[str] = []
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    options = Options("cpu", tmp_path / "cache", 416, report=told.append)
    weights = verified(BUNDLED, "people", SHA256)
    made = exported(weights, "openvino", options)
    first = hashlib.sha256(made.with_suffix(".bin").read_bytes()).hexdigest()
    assert exported(weights, "openvino", options) == made
    assert len(told) == 1
    made.with_suffix(".bin").write_bytes(b"rubbish")
    assert exported(weights, "openvino", options) == made
    assert len(told) == 2
    assert hashlib.sha256(made.with_suffix(".bin").read_bytes()).hexdigest() == first
    assert [each.name for each in made.parent.parent.iterdir()] == [made.parent.name]
    assert list(home.iterdir()) == []  # OpenVINO's telemetry would leave an identity here


def test_a_hub_name_is_fetched_once_and_trusted_from_then_on(load: Load, tmp_path: Path, hub: Hub) -> None:
    """A name in the settings is fetched, recorded by its hash, used offline later, and then is what `auto` means."""
    detector = load("yolo99n.pt", data_dir=tmp_path, hub_url=hub.url, runtime="torch")
    assert detector.info.name == "yolo99n"
    assert not detector.info.fallback
    assert (tmp_path / "models" / "SHA256SUMS").read_text() == f"{SHA256}  yolo99n.pt\n"
    assert sorted(each.name for each in (tmp_path / "models").iterdir()) == ["SHA256SUMS", "yolo99n.pt"]
    for choice in ("yolo99n.pt", "auto"):
        assert load(choice, data_dir=tmp_path, hub_url=hub.url, runtime="torch").info.name == "yolo99n"
    assert hub.asked == ["/yolo99n.pt"]


def test_what_was_fetched_may_not_change(load: Load, tmp_path: Path, hub: Hub) -> None:
    """A fetched file that was altered is refused, and so is other content under the same name later."""
    load("yolo99n.pt", data_dir=tmp_path, hub_url=hub.url, runtime="torch")
    file = tmp_path / "models" / "yolo99n.pt"
    altered = file.read_bytes() + b"x"
    file.write_bytes(altered)
    in_place_of(load("auto", data_dir=tmp_path, hub_url=hub.url, runtime="torch"), "not loaded")
    file.unlink()
    hub.files["yolo99n.pt"] = altered
    in_place_of(load("yolo99n.pt", data_dir=tmp_path, hub_url=hub.url, runtime="torch"), "the first time it was")
    assert not file.exists()


def test_nothing_is_fetched_unasked(load: Load, tmp_path: Path, hub: Hub) -> None:
    """`auto` and a registry entry without the permission leave the network alone."""
    path = tmp_path / "models.toml"
    path.write_text('[models.big]\ntask = "detect"\nhub = "yolo99n.pt"\n')
    load("auto", hub_url=hub.url)
    in_place_of(load("big", registry=Registry.load(path), hub_url=hub.url), "does not allow fetching")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("name", "redirect", "reason"),
    [
        ("missing.pt", "", "Not Found"),
        ("cut.pt", "", "cut off after"),
        ("yolo99n.pt", "file:///etc/passwd", "not allowed"),
        ("yolo99n.pt", "http://example.org/yolo99n.pt", "only https"),
    ],
)
def test_a_failed_fetch_falls_back(load: Load, data_dir: Path, hub: Hub, name: str, redirect: str, reason: str) -> None:
    """What the hub does not give, or gives from somewhere else, leaves the bundled weights and no file."""
    hub.files["cut.pt"] = b"PK"
    hub.redirect = redirect
    in_place_of(load(name, hub_url=hub.url), name, reason)
    assert not (data_dir / "models" / name).exists()
    assert not list((data_dir / "models").glob(".fetching*"))


def test_a_hub_that_is_not_there_falls_back(load: Load) -> None:
    """No way out: the bundled weights run, and the reason names the hub."""
    in_place_of(load("yolo99n.pt", hub_url="http://127.0.0.1:9/"), "cannot be fetched from http://127.0.0.1:9/")


@pytest.mark.parametrize("name", ["../evil.pt", "..pt", ".hidden.pt", "a/../../b.pt", "a\\b.pt"])
def test_names_cannot_leave_the_folder(load: Load, tmp_path: Path, hub: Hub, name: str) -> None:
    """A registry entry with a crooked hub name fetches and writes nothing."""
    path = tmp_path / "models.toml"
    path.write_text(f"[models.crooked]\ntask = 'detect'\nhub = '{name}'\nfetch = true\n")
    in_place_of(load("crooked", registry=Registry.load(path), hub_url=hub.url), "no name of the hub")
    assert hub.asked == []
