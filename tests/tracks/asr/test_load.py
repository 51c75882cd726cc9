"""What recogniser runs for a choice, what is fetched, and what runs instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import ctranslate2
import pytest
from huggingface_hub.constants import HF_HUB_CACHE

from tests.tracks.asr.hub import Hub
from tests.tracks.asr.whisper import make_whisper
from tracks.asr import Asr
from tracks.asr.load import load_recogniser
from tracks.asr.options import Endpoint
from tracks.detect.weights import WeightsRefused
from tracks.errors import InvalidRequest, ModelUnavailable, NotFound
from tracks.registry import RECOGNISERS, Registry, resolve

pytestmark = pytest.mark.timeout(240)
Load = Callable[..., Asr]


@pytest.fixture
def hub(model: Path) -> Iterator[Hub]:
    """A hub that has the tiny model."""
    server = Hub(model)
    yield server
    server.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def load(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """`load_recogniser` with a data directory of its own, no GPU and no hub; all that it gave is closed afterwards."""
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    opened: list[Asr] = []

    def call(choice: str, **values: object) -> Asr:
        given = {"registry": Registry.load(), "data_dir": tmp_path / "data", "report": told.append}
        asr = load_recogniser(choice, **(given | {"hub_url": "http://127.0.0.1:9"} | values))  # type: ignore[arg-type]
        opened.append(asr)
        return asr

    yield call
    for asr in opened:
        asr.close()


def in_place_of(asr: Asr, *words: str) -> None:
    """Pocketsphinx runs, and its info says in the place of what."""
    assert asr.info.engine == "pocketsphinx"
    assert asr.info.fallback
    for word in words:
        assert word in asr.info.reason


def test_every_recogniser_can_be_imported() -> None:
    """No entry of the registry names something that is not there."""
    for target in RECOGNISERS.values():
        assert callable(resolve(target))


def test_auto_is_pocketsphinx_without_a_network(load: Load, told: list[str]) -> None:
    """With nothing fetched it is no fallback: nothing better was asked for, and nothing is fetched."""
    info = load("auto").info
    assert (info.name, info.engine, info.fallback) == ("pocketsphinx", "pocketsphinx", False)
    assert told == []


def test_a_folder_is_taken_as_it_is(load: Load, model: Path) -> None:
    """A path of a CTranslate2 model, with why it runs."""
    info = load(str(model)).info
    assert (info.name, info.engine, info.fallback) == ("tiny.en", "faster-whisper", False)
    assert info.reason == f"{model} was chosen"


def test_a_word_that_is_no_recogniser_is_an_error(load: Load) -> None:
    """A typing mistake does not quietly run something else; a detector is none either."""
    with pytest.raises(NotFound, match="unknown recogniser 'wisper', have: auto, openai, pocketsphinx, whisper-base"):
        load("wisper")
    with pytest.raises(NotFound, match="unknown asr model 'people'"):
        load("people")


def test_a_path_to_nothing_falls_back_and_says_so(load: Load, tmp_path: Path, told: list[str]) -> None:
    """To info, log and terminal; without fallback it is an error."""
    missing = str(tmp_path / "nowhere")
    in_place_of(load(missing), missing, "is no folder")
    assert any(missing in each for each in told)
    with pytest.raises(ModelUnavailable, match="is no folder"):
        load(missing, fallback=False)


def test_a_hub_name_is_fetched_once_and_only_what_is_a_model(load: Load, hub: Hub, tmp_path: Path) -> None:
    """Into the data directory, without a token, and from then on `auto` takes it without asking anybody."""
    before = set(Path(HF_HUB_CACHE).glob("models--someone--*"))
    assert load(hub.name, hub_url=hub.url).info.engine == "faster-whisper"
    folder = tmp_path / "data" / "models" / "asr" / "someone--tiny.en"
    assert (folder / "model.bin").read_bytes() == hub.files["model.bin"]
    assert not (folder / "README.md").exists()
    assert set(hub.tokens) == {None}
    assert set(Path(HF_HUB_CACHE).glob("models--someone--*")) == before  # of the user's home
    asked = len(hub.asked)
    info = load("auto", hub_url=hub.url).info
    assert (info.name, info.reason, info.fallback) == ("tiny.en", "the newest model fetched earlier", False)
    assert load(hub.name).info.engine == "faster-whisper"
    assert len(hub.asked) == asked


def test_what_the_hub_gave_must_stay_the_same(load: Load, hub: Hub, tmp_path: Path) -> None:
    """A model.bin that changed is not loaded, nor one that comes back different."""
    load(hub.name, hub_url=hub.url)
    folder = tmp_path / "data" / "models" / "asr" / "someone--tiny.en"
    other = make_whisper(tmp_path / "other", seed=7)
    (folder / "model.bin").write_bytes((other / "model.bin").read_bytes())
    with pytest.raises(WeightsRefused, match="expected"):
        load(hub.name, fallback=False)
    in_place_of(load(hub.name), "expected")
    shutil.rmtree(folder)
    hub.files["model.bin"] = (other / "model.bin").read_bytes()
    with pytest.raises(WeightsRefused, match="the first time it was"):
        load(hub.name, hub_url=hub.url, fallback=False)


def test_without_a_network_a_hub_name_falls_back(load: Load, hub: Hub) -> None:
    """A hub that cannot be reached, and one that has no such model, are told apart."""
    in_place_of(load("whisper-base.en"), "Systran/faster-whisper-base.en cannot be fetched from http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="has no someone/else"):
        load("someone/else", hub_url=hub.url, fallback=False)


def test_nothing_is_fetched_that_the_registry_forbids(load: Load, hub: Hub, tmp_path: Path) -> None:
    """An entry without `fetch` is used when it is here and never asked for."""
    path = tmp_path / "models.toml"
    path.write_text(f'[models.mine]\ntask = "asr"\nengine = "faster-whisper"\nhub = "{hub.name}"\n')
    registry = Registry.load(path)
    with pytest.raises(ModelUnavailable, match="does not allow fetching"):
        load("mine", registry=registry, hub_url=hub.url, fallback=False)
    assert hub.asked == []


def test_nothing_is_fetched_for_whoever_may_not_have_it_fetched(load: Load, hub: Hub) -> None:
    """Without `fetch`, what is not here is not asked for; what is, is used."""
    with pytest.raises(ModelUnavailable, match="does not allow fetching"):
        load(hub.name, hub_url=hub.url, fallback=False, fetch=False)
    assert hub.asked == []
    load(hub.name, hub_url=hub.url)
    assert load(hub.name, hub_url=hub.url, fallback=False, fetch=False).info.engine == "faster-whisper"


def test_an_incomplete_repository_is_refused(load: Load, hub: Hub) -> None:
    """Without a tokenizer faster-whisper would fetch one by itself: it does not come to that."""
    del hub.files["tokenizer.json"]
    in_place_of(load(hub.name, hub_url=hub.url), "incomplete: it has no tokenizer.json")


def test_a_gpu_that_does_not_work_is_told(load: Load, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model runs on the CPU then; a CPU that is forced is no fallback."""
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    info = load(str(model)).info
    assert (info.engine, info.device, info.fallback) == ("faster-whisper", "cpu", True)
    assert "does not load on cuda" in info.reason
    info = load(str(model), force_cpu=True).info
    assert (info.device, info.fallback) == ("cpu", False)
    assert "the CPU is forced" in info.reason


def test_elsewhere_is_only_where_it_was_chosen(load: Load) -> None:
    """With an endpoint configured `auto` still stays on this machine; `openai` needs one."""
    endpoint = Endpoint("http://127.0.0.1:9/v1")
    assert load("auto", endpoint=endpoint).info.engine == "pocketsphinx"
    info = load("openai", endpoint=endpoint).info
    assert (info.engine, info.device, info.fallback) == ("openai", "127.0.0.1", False)
    in_place_of(load("openai"), "needs OPENAI_BASE_URL")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            'task = "asr"\nhub = "a/b"',
            "task asr and only it needs an engine, have: faster-whisper, pocketsphinx, openai",
        ),
        ('task = "detect"\nengine = "openai"\nhub = "a"', "task asr and only it needs an engine"),
        ('task = "asr"\nengine = "vosk"\nhub = "a/b"', "unknown engine 'vosk'"),
        ('task = "asr"\nengine = "pocketsphinx"\nhub = "a/b"', "neither file nor hub"),
        ('task = "asr"\nengine = "openai"\nfile = "a"', "openai needs hub"),
        ('task = "asr"\nengine = "faster-whisper"', "needs either file or hub"),
    ],
)
def test_registry_entries_that_make_no_sense(tmp_path: Path, entry: str, message: str) -> None:
    """They are told at the start, with the choices."""
    path = tmp_path / "models.toml"
    path.write_text(f"[models.mine]\n{entry}\n")
    with pytest.raises(InvalidRequest, match=message):
        Registry.load(path)
