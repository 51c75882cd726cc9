"""What the detector that ships in the package makes of the demo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tracks.sources.clocks import ManualClock
from tracks.detect import Detector
from tracks.detect.load import load_detector
from tracks.frames import letterbox
from tracks.registry import Registry
from tracks.scene import Scene
from tracks.sources.camera import CameraPath, View
from tracks.sources.demo import FRAME_RATE_HZ, LOOP_S, SIZE, SMOOTHING_S, STOPS, open_demo
from tracks.sources.gallery import LOOKING_ON, PASSING, POINTING, WALKING, WIDTH, Print
from tracks.track import TrackOptions
from tracks.track.bytetrack import ByteTrack

PEOPLE: dict[str, tuple[Print, tuple[int, int, int, int]]] = {
    "in a light coat": (WALKING, (49, 400, 245, 902)),
    "in a dark coat": (WALKING, (222, 405, 345, 860)),
    "at the right edge": (PASSING, (669, 392, 809, 878)),
    "at the left edge": (WALKING, (0, 550, 63, 873)),
    "pointing": (POINTING, (358, 200, 722, 720)),
    "looking on": (LOOKING_ON, (740, 40, 1110, 720)),
}
"""Who is on the photographs, and where: x1, y1, x2, y2 in pixels of the photograph."""
FULLY_SEEN = PEOPLE.keys() - {"at the left edge", "at the right edge"}
EVERY = 3
"""Every third frame is looked at: ten a second, the slowest profile's rate."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    """The bundled weights; on PyTorch, which needs no export."""
    made = load_detector(
        "people",
        registry=Registry.load(),
        data_dir=tmp_path_factory.mktemp("data"),
        report=lambda _: None,
        runtime="torch",
        force_cpu=True,
        threads=1,
    )
    yield made
    made.close()


def in_view(view: View) -> dict[str, np.ndarray]:
    """Where the people are in a frame, clipped to it; without those of whom too little is seen."""
    found = {}
    for name, (hung, box) in PEOPLE.items():
        offset = np.array((hung.left - hung.crop[0], hung.top - hung.crop[1]) * 2)
        for turn in (0, WIDTH):
            middle = np.array((view.x % WIDTH - turn, view.y) * 2)
            whole = (np.array(box) + offset - middle) * view.scale + np.array(SIZE * 2) / 2
            seen = np.clip(whole, 0, SIZE * 2)
            if np.prod(seen[2:] - seen[:2]) > 0.15 * np.prod(whole[2:] - whole[:2]):
                found[name] = seen
    return found


def who(box: np.ndarray, people: dict[str, np.ndarray]) -> str | None:
    """Whose box this is; None when it is nobody's."""

    def overlap(name: str) -> float:
        other = people[name]
        both = np.prod(np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None))
        return float(both / (np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - both))

    best = max(people, key=overlap, default=None)
    return best if best is not None and overlap(best) > 0.35 else None


async def test_the_events_of_a_loop_are_right(detector: Detector, tmp_path: Path) -> None:
    """Everybody who is to be seen whole enters once, under one number, and leaves; nothing that is no person enters."""
    clock = ManualClock()
    demo = await open_demo(pace=clock.pace())
    path = CameraPath(STOPS, loop_s=LOOP_S, period=WIDTH, rate_hz=FRAME_RATE_HZ, window_s=SMOOTHING_S)
    confidence = Registry.load().profile("fast").confidence
    tracker, scene = ByteTrack(TrackOptions(confidence=confidence)), Scene(detector.info.labels)
    names: dict[int, Counter[str | None]] = {}
    entered: list[int] = []
    left: list[int] = []
    started_s = clock.now_s
    await demo.video.recv()
    # Over the seam of the loop, from between the prints to between the prints.
    first = round(13.5 * FRAME_RATE_HZ)
    for number in range(first, first + round(LOOP_S * FRAME_RATE_HZ), EVERY):
        clock.now_s = started_s + number / FRAME_RATE_HZ
        frame = await demo.video.recv()
        assert frame.pts == number * 3000
        at_s = number / FRAME_RATE_HZ
        image, fit = letterbox(frame, detector.input_size(*SIZE))
        found = detector.detect([image])[0]
        tracked = tracker.update(found.moved(fit.to_source(found.xyxy)), at_s)
        people = in_view(path(number))
        assert tracked.track_id is not None
        for box, track in zip(tracked.xyxy, tracked.track_id.tolist(), strict=True):
            names.setdefault(track, Counter())[who(box, people)] += 1
        for change in scene.update(tracked, at_s).objects:
            {"entered": entered, "left": left, "dwelt": []}[change.phase].append(change.track_id)
    left += [change.track_id for change in scene.end(at_s)]
    await demo.close()
    told = Counter(names[track].most_common(1)[0][0] for track in entered)
    assert None not in told, names
    assert all(told[name] == 1 for name in FULLY_SEEN), (told, names)
    assert sorted(left) == sorted(entered)
