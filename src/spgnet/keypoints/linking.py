"""Linking people from frame to frame if the detector did not track them, and selecting one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import Keypoints, present
from spgnet.keypoints.similarity import bounding_box, box_area, keypoint_distance


class PersonLinker:
    """Assigns track numbers frame by frame from keypoints alone, without the video.

    Every person gets the number of the nearest person of earlier frames (:func:`keypoint_distance`), matched
    greedily in the order of distance. Numbers begin at 1 and are not reused. Where the video is available,
    :class:`spgnet.detection.Tracker` also uses the people's appearance.

    Args:
        max_distance: the largest distance between two detections of one person, in diagonals of their box.
        max_missing: number of consecutive frames that a person may be missing without losing the number.
    """

    def __init__(self, *, max_distance: float = 0.5, max_missing: int = 30) -> None:
        self._max_distance = max_distance
        self._max_missing = max_missing
        self._frame = 0
        self._count = 0
        self._last: dict[int, tuple[int, np.ndarray]] = {}

    def push(self, people: Float[np.ndarray, "people joints 3"]) -> list[int]:
        """Track numbers of the next frame's people (x and y in pixels, score), in their order."""
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
        """Track number by index, for those of the people [people, joints, 3] that continue a track."""
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
    """Track numbers of the people in every frame of a clip, in their order; see :class:`PersonLinker`."""
    linker = PersonLinker(max_distance=max_distance, max_missing=max_missing)
    return [linker.push(people) for people in frames]


def select_person(people: Sequence[Keypoints], person: int | Literal["largest"] = "largest") -> Keypoints:
    """Select one of several people.

    Args:
        people: one or more.
        person: the track number, or "largest" for the person whose box area, summed over the frames, is
            largest.

    Raises:
        InputError: nobody has that number; the message lists the existing ones.
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
