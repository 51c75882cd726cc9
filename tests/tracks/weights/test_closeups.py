"""Windows cut around people, with the labels they keep."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tracks.weights.people.closeups import clipped, labels_of, make_closeups, one_person_each

WINDOW = (100.0, 50.0, 300.0, 150.0)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Six noisy pictures in a dataset's folders: two people each, one of them small, and nobody in the last two."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder / "train").mkdir(parents=True)
    paths = [tmp_path / "images" / "train" / f"{number}.jpg" for number in range(6)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (320, 480, 3), np.uint8))
    for path in paths[:4]:
        rows = "0 0.4 0.5 0.2 0.8\n0 0.95 0.9 0.02 0.1\n"
        (tmp_path / "labels" / "train" / f"{path.stem}.txt").write_text(rows)
    return paths


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ((150, 60, 200, 140), [(50, 10, 100, 90)]),  # whole
        ((150, 60, 200, 300), [(50, 10, 100, 100)]),  # a head and a chest
        ((310, 60, 400, 140), []),  # beside the window
        ((290, 60, 350, 140), None),  # an arm
        ((150, -200, 200, 100), None),  # legs
        ((298, 60, 340, 70), []),  # a speck
    ],
)
def test_labels_are_clipped_or_the_window_is_refused(
    box: tuple[float, float, float, float], seen: list[tuple[float, ...]] | None
) -> None:
    """Whoever is seen with the head counts as far as seen; a window with a piece of somebody is of no use."""
    assert clipped([box], WINDOW) == seen


def test_people_fill_their_windows(pictures: list[Path], tmp_path: Path) -> None:
    """Each large person gets windows in which they are large, and the small one none; boxes stay inside."""
    cut = make_closeups(pictures, tmp_path / "cut", per_person=3, empty=0, seed=1)
    assert 4 <= len(cut) <= 12
    for path in cut:
        rows = np.loadtxt(tmp_path / "cut" / "labels" / f"{path.stem}.txt", ndmin=2)
        assert rows[:, 4].max() > 0.5
        assert (rows[:, 1:3] - rows[:, 3:5] / 2 > -1e-4).all()
        assert (rows[:, 1:3] + rows[:, 3:5] / 2 < 1 + 1e-4).all()
        assert max(cv2.imread(str(path)).shape) == 384


def test_windows_are_shaped_like_a_camera_however_much_they_are_broadened(pictures: list[Path], tmp_path: Path) -> None:
    """A window that becomes broader is cut narrower, so that no picture gets a shape that no camera has."""
    cut = make_closeups(pictures, tmp_path / "cut", per_person=8, empty=0, seed=3)
    shapes = [cv2.imread(str(path)).shape for path in cut]
    assert all(0.7 < width / height < 1.9 for height, width, _ in shapes)


def test_one_box_a_picture_is_kept_where_one_person_is_known_to_be(pictures: list[Path], tmp_path: Path) -> None:
    """The largest box stays, pictures of nobody stay empty, and the pictures themselves are the same."""
    copies = one_person_each(pictures, tmp_path / "single")
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in pictures]
    rows = [labels_of(path).read_text().splitlines() for path in copies]
    assert rows == [["0 0.4 0.5 0.2 0.8"]] * 4 + [[]] * 2


def test_empty_windows_hold_nobody(pictures: list[Path], tmp_path: Path) -> None:
    """Windows that are asked for without people have empty label files, one a picture at most."""
    cut = make_closeups(pictures, tmp_path / "cut", per_person=0, empty=6, seed=1)
    assert 2 <= len(cut) <= 6
    assert not any((tmp_path / "cut" / "labels" / f"{path.stem}.txt").read_text() for path in cut)


def test_a_seed_gives_the_same_windows(pictures: list[Path], tmp_path: Path) -> None:
    """A recipe can be repeated: equal seeds write equal files, others do not."""
    first, again, other = (
        [path.read_bytes() for path in make_closeups(pictures, tmp_path / name, per_person=1, empty=2, seed=seed)]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other
