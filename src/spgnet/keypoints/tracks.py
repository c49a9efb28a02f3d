"""Who is who from frame to frame, where a detector does not say, and which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import Keypoints, present


class PersonLinker:
    """Numbers the people of a video frame by frame: everyone keeps the number of the nearest of before.

    The distance of two detections is the mean over the keypoints that both have, divided by the diagonal of
    the larger one's box. Pairs are taken greedily, nearest first. Numbers begin at 1 and are not used again.

    Args:
        reach: the largest distance of the same person between two sightings, in diagonals.
        patience: for how many frames somebody may be out of sight and still be the same person.
    """

    def __init__(self, *, reach: float = 0.5, patience: int = 30) -> None:
        self._reach = reach
        self._patience = patience
        self._frame = 0
        self._count = 0
        self._last: dict[int, tuple[int, np.ndarray]] = {}

    def push(self, people: Float[np.ndarray, "people joints 3"]) -> list[int]:
        """Numbers for the people (x, y in pixels, score) of the next frame, in their order."""
        self._frame += 1
        self._last = {
            track: (frame, points)
            for track, (frame, points) in self._last.items()
            if self._frame - frame <= self._patience + 1
        }
        linked = self._link(people)
        for person, points in enumerate(people):
            if person not in linked:
                self._count += 1
                linked[person] = self._count
            self._last[linked[person]] = (self._frame, points)
        return [linked[person] for person in range(len(people))]

    def _link(self, people: np.ndarray) -> dict[int, int]:
        pairs = [
            (_distance(points, last), person, track)
            for person, points in enumerate(people)
            for track, (_, last) in self._last.items()
        ]
        linked: dict[int, int] = {}
        for distance, person, track in sorted(pairs):
            if distance <= self._reach and person not in linked and track not in linked.values():
                linked[person] = track
        return linked


def link_people(
    frames: Sequence[Float[np.ndarray, "_ joints 3"]], *, reach: float = 0.5, patience: int = 30
) -> list[list[int]]:
    """:class:`PersonLinker` over a whole clip: for every frame the numbers of its people, in their order."""
    linker = PersonLinker(reach=reach, patience=patience)
    return [linker.push(people) for people in frames]


def pick_person(people: Sequence[Keypoints], person: int | Literal["largest"] = "largest") -> Keypoints:
    """One of several people: by number, or who fills most of the image, summed over the frames.

    Raises:
        InputError: nobody has that number.
    """
    assert people
    if person == "largest":
        return max(people, key=lambda one: sum(_box(points).prod() for points in one.points))
    for one in people:
        if one.track == person:
            return one
    numbers = ", ".join(str(one.track) for one in people)
    raise InputError(f"no person {person}; there are {numbers}")


def _box(points: np.ndarray) -> np.ndarray:
    """Width and height of the box about the keypoints that are there."""
    there = points[present(points), :2].astype(np.float64)
    return np.ptp(there, axis=0) if len(there) else np.zeros(2)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    both = present(one) & present(other)
    if not both.any():
        return np.inf
    apart = np.linalg.norm(one[both, :2] - other[both, :2], axis=-1).mean()
    return float(apart / max(np.linalg.norm(_box(one)), np.linalg.norm(_box(other)), 1.0))
