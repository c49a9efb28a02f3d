"""Synthetic people for a detector that knows the truth, with the habits of a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spgnet.keypoints import Keypoints, KeypointSetName
from spgnet.keypoints.similarity import iou, keypoint_box
from spgnet.video import Frame

WIDTH, HEIGHT, FPS = 640, 240, 30
STANDING = np.array(
    [
        [0, -0.48], [0.02, -0.5], [-0.02, -0.5], [0.04, -0.48], [-0.04, -0.48],
        [0.1, -0.35], [-0.1, -0.35], [0.14, -0.18], [-0.14, -0.18], [0.15, -0.02], [-0.15, -0.02],
        [0.07, 0], [-0.07, 0], [0.08, 0.25], [-0.08, 0.25], [0.08, 0.5], [-0.08, 0.5],
    ]
)  # fmt: skip
"""COCO's 17 keypoints of somebody one unit high."""


@dataclass
class Actor:
    """Somebody whose place depends on time: x and y in pixels, or None while off stage."""

    path: Callable[[float], tuple[float, float] | None]
    colour: tuple[int, int, int] = (200, 60, 60)
    height: float = 100.0

    def points(self, time: float) -> np.ndarray | None:
        """The true keypoints [17, 2]; the legs and arms swing."""
        place = self.path(time)
        if place is None:
            return None
        pose = STANDING.copy()
        swing = 0.06 * np.sin(2 * np.pi * time)
        pose[[9, 16], 0] += swing
        pose[[10, 15], 0] -= swing
        return np.array(place) + self.height * pose


class Stage:
    """A clip of actors, the first in front, and a detector that sees them.

    The one behind is not found while covered, and whoever asks for the pose in that place gets the pose of
    the one in front. `blind` frames show nothing; `twice` gives two boxes for everybody.
    """

    keypoint_set: KeypointSetName = "coco17"
    jitter = 1.0
    """Standard deviation of the keypoints in pixels."""

    def __init__(
        self, actors: Sequence[Actor], frames: int, *, blind: Sequence[int] = (), twice: bool = False
    ) -> None:
        self.actors, self.count, self.blind, self.twice = list(actors), frames, set(blind), twice
        self.looked: list[int] = []
        self.posed: list[int] = []
        self.random = np.random.default_rng(0)

    def frames(self) -> Iterator[Frame]:
        """The clip; its first two pixels hold the number of the frame."""
        for index in range(self.count):
            image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
            for actor in reversed(self.actors):
                if (points := actor.points(index / FPS)) is not None:
                    left, top, right, bottom = self._box(points).round().astype(int).clip(0)
                    image[top:bottom, left:right] = actor.colour
            image[0, 0], image[0, 1] = index // 256, index % 256
            yield Frame(image, index / FPS)

    def boxes(self, image: np.ndarray) -> np.ndarray:
        index = self._index(image)
        self.looked.append(index)
        found = [self._box(points) for _, points in self._visible(index)]
        if self.twice:
            found += [box + self.height_noise(box) for box in found]
        return np.array(found).reshape(-1, 4)

    def height_noise(self, box: np.ndarray) -> np.ndarray:
        """A box that is cut below by a quarter."""
        return np.array([0, 0, 0, -0.25 * (box[3] - box[1])])

    def pose(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        index = self._index(image)
        self.posed.append(index)
        visible = self._visible(index)
        poses = np.zeros((len(boxes), 17, 3))
        for pose, box in zip(poses, boxes, strict=True):
            shares = [iou(box[None], self._box(points)[None])[0, 0] for _, points in visible]
            if shares and max(shares) > 0.15:
                pose[:, :2] = visible[int(np.argmax(shares))][1] + self.random.normal(
                    scale=self.jitter, size=(17, 2)
                )
                pose[:, 2] = 0.8
            else:
                pose[:, :2] = box[:2] + self.random.random((17, 2)) * (box[2:] - box[:2])
                pose[:, 2] = 0.2
        return poses

    def truth(self, actor: int, frame: int) -> np.ndarray | None:
        """The true keypoints of an actor in a frame."""
        return self.actors[actor].points(frame / FPS)

    def cast(self, person: Keypoints) -> list[int]:
        """Which actor a person is in every frame in which the person is detected."""
        cast = []
        for frame in np.flatnonzero(person.present.any(axis=1)):
            errors = [
                np.inf if (points := self.truth(actor, frame)) is None
                else np.abs(person.points[frame, :, :2] - points).mean()
                for actor in range(len(self.actors))
            ]  # fmt: skip
            assert min(errors) < 5
            cast.append(int(np.argmin(errors)))
        return cast

    def _index(self, image: np.ndarray) -> int:
        return int(image[0, 0, 0]) * 256 + int(image[0, 1, 0])

    def _box(self, points: np.ndarray) -> np.ndarray:
        return keypoint_box(np.concatenate([points, np.ones((len(points), 1))], axis=1))

    def _visible(self, index: int) -> list[tuple[int, np.ndarray]]:
        visible: list[tuple[int, np.ndarray]] = []
        if index in self.blind:
            return visible
        for number, actor in enumerate(self.actors):
            points = actor.points(index / FPS)
            if points is None:
                continue
            box = self._box(points)
            if all(iou(box[None], self._box(front)[None])[0, 0] < 0.35 for _, front in visible):
                visible.append((number, points))
        return visible
