"""The house rules that a machine can check: who imports whom, and where other people's private attributes are used."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import settings

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("tracks", "signaling", "agents", "server")
EDGES = REPOSITORY / "tracks" / "edges"
HOOKED = ("aiortc", "aioice")
MAX_LINES = 350
NAMEDTUPLE_PUBLIC = frozenset({"_asdict", "_fields", "_make", "_replace"})
STORAGE = REPOSITORY / "server" / "database.py"
"""Reaches into its own library, whose private names are partly the same; it knows nothing of aiortc."""
BY_NAME = frozenset({"getattr", "setattr", "hasattr", "delattr"})


def sources() -> list[Path]:
    """Every Python file of the product."""
    return [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in NAMEDTUPLE_PUBLIC


def classes_and_privates() -> tuple[set[str], set[str]]:
    """Names of the classes of aiortc and aioice, and of every private attribute that they have."""
    classes, privates = set(), set()
    for package in HOOKED:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        for path in Path(spec.origin).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    classes.add(node.name)
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_private(node.name):
                    privates.add(node.name)
                elif isinstance(node, ast.Attribute) and is_private(node.attr):
                    privates.add(node.attr)
    return classes, privates


def private_uses(code: str, classes: set[str], privates: set[str]) -> Iterator[tuple[int, str]]:
    """(line, name) wherever `code` reaches into a private attribute of aiortc or aioice.

    Name-mangled names always count. Other private names count on any object but `self`, and on `self` in a subclass of
    one of their classes, where the class does not define the name itself.
    """
    mangled = re.compile(rf"_(?:{'|'.join(sorted(classes))})__\w+")
    own: dict[ast.AST, set[str]] = {}
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}
            inherits = bool(bases & classes)
            defined = {
                target.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Assign | ast.AnnAssign)
                for target in (inner.targets if isinstance(inner, ast.Assign) else [inner.target])
                if isinstance(target, ast.Attribute)
            } | {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
            for inner in ast.walk(node):
                own[inner] = privates - defined if inherits else set()
        if isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            suspects = own.get(node, set()) if of_self else privates
            if mangled.fullmatch(node.attr) or node.attr in suspects:
                yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and mangled.fullmatch(node.value):
            yield node.lineno, node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
            name = node.args[1] if len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and name.value in privates:
                yield node.lineno, str(name.value)


def test_dependencies_point_one_way() -> None:
    """server imports signaling imports tracks, never upward, and the layers below touch no HTTP and no database."""
    # In a process of its own: it turns off all loggers that there are.
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_the_edges_touch_private_attributes_of_aiortc() -> None:
    """Outside tracks/edges nothing reaches into aiortc or aioice, so that an upgrade can fail in one place only."""
    classes, privates = classes_and_privates()
    found = [
        f"{path.relative_to(REPOSITORY)}:{line} {name}"
        for path in sources()
        if EDGES not in path.parents and path != STORAGE
        for line, name in private_uses(path.read_text(), classes, privates)
    ]
    assert not found, "\n".join(found)
    assert not any(package in STORAGE.read_text() for package in HOOKED)


@pytest.mark.parametrize(
    "code",
    [
        "sender._RTCRtpSender__encoder.target_bitrate = 1",
        "sender._next_encoded_frame('video')",
        "getattr(receiver, '_RTCRtpReceiver__jitter_buffer')",
        "setattr(connection, '_protocols', [])",
        "class Quick(aioice.Connection):\n    def close(self):\n        self._protocols.clear()",
    ],
)
def test_the_check_sees_private_access(code: str) -> None:
    """Each way of reaching into aiortc is found."""
    assert list(private_uses(code, *classes_and_privates()))


@pytest.mark.parametrize(
    "code",
    [
        "self._queue.append(1)",
        "point._replace(x=1)",
        "class Mine(MediaStreamTrack):\n    def __init__(self):\n        self._queue = []\n"
        "    def depth(self):\n        return len(self._queue)",
    ],
)
def test_the_check_lets_own_attributes_be(code: str) -> None:
    """A class's own private attributes are its own business."""
    assert not list(private_uses(code, *classes_and_privates()))


def test_only_settings_read_the_environment() -> None:
    """`settings.py` alone reads environment variables; libraries' switches may be set."""
    reads = re.compile(r"os\.getenv|os\.environ\.get|os\.environ\[[^\]]+\](?!\s*=[^=])|from os import .*environ")
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in sources()
        if path != REPOSITORY / "server" / "settings.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if reads.search(line)
    ]
    assert not found


def test_every_setting_is_in_the_readme() -> None:
    """The table of settings in README.md has every variable, and none that does not exist."""
    names = {
        settings.UNPREFIXED.get(field, settings.PREFIX + field.upper()) for field in settings.Settings.model_fields
    }
    table = re.findall(r"^\| `([A-Z_]+)` \|", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    assert set(table) == names


def test_files_have_one_job() -> None:
    """No file of the product grows past 350 lines, and none is a drawer for everything."""
    files = sources()
    assert [str(path) for path in files if len(path.read_text().splitlines()) > MAX_LINES] == []
    assert [str(path) for path in files if path.stem in ("utils", "helpers", "common", "misc")] == []


def test_nothing_blocks_the_loop_by_sleeping() -> None:
    """No `time.sleep` in the product."""
    assert [str(path) for path in sources() if re.search(r"\btime\.sleep\(", path.read_text())] == []
