"""Linking people from frame to frame where the detector did not number them, and selecting one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import Keypoints, present
from spgnet.keypoints.similarity import bounding_box, box_area, keypoint_distance


class PersonLinker:
    """Numbers people frame by frame by their keypoints alone, without the video.

    Everybody keeps the number of the nearest person of the frames before (:func:`keypoint_distance`). Pairs
    are taken greedily, the nearest first. Numbers begin at 1 and are not used again.
    (:class:`spgnet.detection.Tracker` does this with the video at hand.)

    Args:
        max_distance: the largest distance between two detections of one person, in diagonals of their box.
        max_missing: for how many frames somebody may be missing and still keep their number.
    """

    def __init__(self, *, max_distance: float = 0.5, max_missing: int = 30) -> None:
        self._max_distance = max_distance
        self._max_missing = max_missing
        self._frame = 0
        self._count = 0
        self._last: dict[int, tuple[int, np.ndarray]] = {}

    def push(self, people: Float[np.ndarray, "people joints 3"]) -> list[int]:
        """Numbers for the people (x and y in pixels, and score) of the next frame, in their order."""
        self._frame += 1
        self._last = {
            track: (frame, points)
            for track, (frame, points) in self._last.items()
            if self._frame - frame <= self._max_missing + 1
        }
        linked = self._link(people)
        for person, points in enumerate(people):
            if person not in linked:
                self._count += 1
                linked[person] = self._count
            self._last[linked[person]] = (self._frame, points)
        return [linked[person] for person in range(len(people))]

    def _link(self, people: np.ndarray) -> dict[int, int]:
        """The track of each person [people, joints, 3] that is near enough to one."""
        pairs = [
            (keypoint_distance(points, last), person, track)
            for person, points in enumerate(people)
            for track, (_, last) in self._last.items()
        ]
        linked: dict[int, int] = {}
        for distance, person, track in sorted(pairs):
            if distance <= self._max_distance and person not in linked and track not in linked.values():
                linked[person] = track
        return linked


def link_people(
    frames: Sequence[Float[np.ndarray, "_ joints 3"]], *, max_distance: float = 0.5, max_missing: int = 30
) -> list[list[int]]:
    """:class:`PersonLinker` over a whole clip: for every frame the numbers of its people, in their order."""
    linker = PersonLinker(max_distance=max_distance, max_missing=max_missing)
    return [linker.push(people) for people in frames]


def select_person(people: Sequence[Keypoints], person: int | Literal["largest"] = "largest") -> Keypoints:
    """One of several people.

    Args:
        people: one or more.
        person: the track number, or the person with the largest box, its area summed over the frames.

    Raises:
        InputError: nobody has that number; the message lists the numbers there are.
    """
    assert people
    if person == "largest":
        return max(people, key=_total_area)
    for one in people:
        if one.track == person:
            return one
    numbers = ", ".join(str(one.track) for one in people)
    raise InputError(f"no person {person}; there are {numbers}")


def _total_area(person: Keypoints) -> float:
    return sum(box_area(bounding_box(points[present(points)])) for points in person.points)
