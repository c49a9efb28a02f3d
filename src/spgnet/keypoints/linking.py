"""Linking people from frame to frame if the detector did not track them, and selecting one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import Keypoints
from spgnet.keypoints.similarity import keypoint_distances, mean_confidence

_MOST_TRACKS = 400
"""Tracks that may go on, the last seen first; more are seen only by a detector that finds people in noise."""


class PersonLinker:
    """Assigns track numbers frame by frame from keypoints alone, without the video.

    Every person gets the number of the nearest person of earlier frames (:func:`keypoint_distances`), matched
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

    def push(self, people: Float[np.ndarray, "people joints 3"], frame: int | None = None) -> list[int]:
        """Track numbers of the next frame's people (x and y in pixels, score), in their order.

        Args:
            people: everybody in the frame.
            frame: its number, larger than that of the frame before; by default the next one.
        """
        self._frame = self._frame + 1 if frame is None else frame
        self._last = {
            track: (seen, points)
            for track, (seen, points) in self._last.items()
            if self._frame - seen <= self._max_missing + 1
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
        if not len(people) or not self._last:
            return {}
        tracks = sorted(self._last, key=lambda track: -self._last[track][0])[:_MOST_TRACKS]
        apart = keypoint_distances(people, np.stack([self._last[track][1] for track in tracks]))
        near = np.argwhere(apart <= self._max_distance)
        pairs = [(float(apart[person, at]), int(person), tracks[at]) for person, at in near]
        linked: dict[int, int] = {}
        taken: set[int] = set()
        for _, person, track in sorted(pairs):
            if person not in linked and track not in taken:
                linked[person] = track
                taken.add(track)
        return linked


def link_people(
    frames: Sequence[Float[np.ndarray, "_ joints 3"]],
    numbers: Sequence[int] | None = None,
    *,
    max_distance: float = 0.5,
    max_missing: int = 30,
) -> list[list[int]]:
    """Track numbers of the people in every frame of a clip, in their order; see :class:`PersonLinker`.

    Args:
        frames: everybody in each frame.
        numbers: of the frames, increasing; by default they follow one another.
        max_distance, max_missing: as for :class:`PersonLinker`.
    """
    linker = PersonLinker(max_distance=max_distance, max_missing=max_missing)
    counted = range(len(frames)) if numbers is None else numbers
    return [linker.push(people, frame) for people, frame in zip(frames, counted, strict=True)]


PersonChoice = Literal["largest"] | int | str
"""The largest person, one by track number, or ``1+5+9`` for a person to whom the detector's tracker gave
several numbers."""


def person_numbers(person: PersonChoice) -> tuple[int, ...]:
    """The track numbers of one person: those of ``1+5+9``, or the one.

    Raises:
        InputError: they are not numbers from 1, separated by +.
    """
    parts = [part.strip()[:20] for part in str(person).split("+")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"no person {str(person)[:40]!r}: expected a number from 1, or several as in 1+5+9")
    return tuple(map(int, parts))


def select_person(people: Sequence[Keypoints], person: PersonChoice = "largest") -> Keypoints:
    """Select one of several people.

    Args:
        people: one or more, of one clip.
        person: "largest" for the person whose size in the image (the root of the box's area), summed over the
            frames, is largest; a track number; or several, as in ``1+5+9``, which are made one person.

    Raises:
        InputError: nobody has that number; the message lists the existing ones.
    """
    assert people
    if person == "largest":
        return max(people, key=_size_and_duration)
    found: list[Keypoints] = []
    for number in person_numbers(person):
        one = next((one for one in people if number == one.track or number in one.joined_tracks), None)
        if one is None:
            raise InputError(f"no person {number}; there are {', '.join(str(one.track) for one in people)}")
        if one not in found:
            found.append(one)
    return found[0] if len(found) == 1 else join_people(found)


def join_people(parts: Sequence[Keypoints]) -> Keypoints:
    """One person of several tracks of one clip; where two of them are in a frame, the surer one counts."""
    confidence = np.stack([mean_confidence(np.nan_to_num(part.points)) for part in parts])
    points = np.stack([part.points for part in parts])[confidence.argmax(axis=0), np.arange(len(parts[0]))]
    others = [number for part in parts for number in (part.track, *part.joined_tracks)]
    return replace(parts[0], points=points, joined_tracks=tuple(others[1:]))


def _size_and_duration(person: Keypoints) -> float:
    """Square root of the box's area, summed over the frames: twice the time counts as twice the height."""
    there = person.present[..., None]
    xy = person.points[..., :2]
    low, high = np.where(there, xy, np.inf).min(axis=1), np.where(there, xy, -np.inf).max(axis=1)
    seen = there.any(axis=(1, 2))
    return float(np.sqrt((high[seen] - low[seen]).astype(np.float64).prod(axis=-1)).sum())
