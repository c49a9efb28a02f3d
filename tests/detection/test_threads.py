"""Detection in threads: the same people as one frame after the other, the same errors, no thread left."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from detection.actors import HEIGHT, WIDTH, Actor, Stage
from spgnet.detection import TrackingConfig, detect_video, track_people
from spgnet.video import Frame, FrameSource


class ConcurrentStage(Stage):
    concurrent = True


class Clip(FrameSource):
    name, fps, image_size = "stage.mp4", 30.0, (WIDTH, HEIGHT)

    def __init__(self, stage: Stage, damaged_at: int | None = None) -> None:
        self.stage, self.damaged_at, self.warnings, self.closed = stage, damaged_at, [], False

    def __iter__(self) -> Iterator[Frame]:
        try:
            for index, frame in enumerate(self.stage.frames()):
                if index == self.damaged_at:
                    raise OSError("disk gone")
                yield frame
            self.warnings.append("cut short")
        finally:
            self.closed = True


def walkers() -> list[Actor]:
    """One who walks, and one who comes after a second."""
    return [
        Actor(lambda time: (100 + 40 * time, 120.0)),
        Actor(lambda time: (500 - 60 * time, 120.0) if time > 1 else None, (50, 60, 190)),
    ]


@pytest.mark.parametrize("detect_every", [1, 3, "auto"])
@pytest.mark.parametrize("kind", [Stage, ConcurrentStage])
def test_the_people_are_those_of_one_frame_after_the_other(kind, detect_every):
    stages = [kind(walkers(), 90, blind=[40, 41, 42]) for _ in range(2)]
    clip = Clip(stages[0])
    shown: list[list[tuple[float, int]]] = [[], []]

    def show(which: int):
        return lambda frame, people: shown[which].append((frame.time, len(people)))

    config = TrackingConfig(boxes_every=4)
    people = detect_video(clip, stages[0], config=config, detect_every=detect_every, on_frame=show(0))
    expected = track_people(
        stages[1].frames(), stages[1], config=config, detect_every=detect_every, on_frame=show(1)
    )
    assert len(people) == len(expected) == 2
    for one, other in zip(people, expected, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.timestamps, other.timestamps)
        assert one.track == other.track
    assert shown[0] == shown[1]
    assert sorted(stages[0].looked) == sorted(stages[1].looked)
    assert stages[0].posed == stages[1].posed
    assert clip.warnings == ["cut short"], "what is known at the end of the clip is known to the caller"


class Faulty(ConcurrentStage):
    """Fails in the boxes or the poses of a frame."""

    fails: tuple[str, int] = ("", 0)

    def boxes(self, image: np.ndarray) -> np.ndarray:
        if self.fails == ("boxes", self._index(image)):
            raise RuntimeError("out of memory")
        return super().boxes(image)

    def pose(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        if self.fails == ("pose", self._index(image)):
            raise RuntimeError("out of memory")
        return super().pose(image, boxes)


@pytest.mark.parametrize("fault", ["boxes", "pose", "video"])
def test_a_fault_reaches_the_caller_at_its_frame_and_nothing_goes_on(fault):
    before = threading.active_count()
    stage = Faulty(walkers(), 90)
    stage.fails = (fault, 20)
    clip = Clip(stage, damaged_at=20 if fault == "video" else None)
    seen: list[float] = []
    error = OSError if fault == "video" else RuntimeError
    with pytest.raises(error, match="disk gone" if fault == "video" else "out of memory"):
        detect_video(clip, stage, on_frame=lambda frame, people: seen.append(frame.time))
    assert len(seen) == 20
    assert clip.closed
    assert threading.active_count() == before


def test_an_interrupt_stops_everything_at_once():
    before = threading.active_count()
    stage = ConcurrentStage(walkers(), 500)
    clip = Clip(stage)

    def interrupt(frame: Frame, people: Sequence[object]) -> None:
        if frame.time >= 1.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect_video(clip, stage, on_frame=interrupt)
    assert clip.closed
    assert threading.active_count() == before
    assert max(stage.looked) < 30 + 40, "the rest of the clip is not looked at"
