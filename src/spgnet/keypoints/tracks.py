"""From the people that a detector found in each frame to one track for each person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from spgnet.errors import InputError, list_names
from spgnet.keypoints.keypoints import present
from spgnet.keypoints.linking import link_people
from spgnet.keypoints.similarity import keypoint_distances, mean_confidence, oks_of_present

MOST_PEOPLE = 200
"""People in one frame; linking takes time in proportion to their square."""
DUPLICATE_OKS = 0.8
"""Similarity from which two detections in one frame are the same person."""
JOIN_DISTANCE = 0.3
"""Largest distance from the end of one track to the beginning of another of the same person, in diagonals of
the person's box."""
JOIN_GAP = 30
"""Most frames between the two."""
_NEAREST = 5
"""Tracks that may be continued by one that begins; the rest are farther away."""


class Person(NamedTuple):
    """One person in one frame: points [keypoints, 3] (x, y, score), and the detector's track number."""

    points: np.ndarray
    track: int | None = None


@dataclass(frozen=True, eq=False)
class Track:
    """One person in the frames with that person.

    Args:
        frames: their index in the clip, increasing.
        points: x, y and score; NaN, NaN, 0 where missing.
        joined: other numbers of the detector's tracker for the same person.
    """

    frames: Integer[np.ndarray, " seen"]
    points: Float[np.ndarray, "seen keypoints 3"]
    joined: tuple[int, ...] = ()


def whole_clip(points: Float[np.ndarray, "frames keypoints 3"]) -> Track:
    """The track of a person with points for every frame of a clip."""
    return Track(np.arange(len(points)), points)


def people_to_tracks(
    frames: Mapping[int, Sequence[Person]],
) -> tuple[dict[int, Track], tuple[str, ...]]:
    """Tracks of the people in each frame, by number, and remarks.

    The detector's track numbers are used, shifted to start at 1 or above, if every person has one that is
    unique in the frame; those that follow one another for the same person are joined. Otherwise people who
    were detected twice in a frame are merged, and linked by distance (:func:`link_people`).

    Args:
        frames: the people in the frames that have any, by the frame's index.

    Raises:
        InputError: a frame has more than :data:`MOST_PEOPLE` people.
    """
    for frame, people in frames.items():
        if len(people) > MOST_PEOPLE:
            raise InputError(f"frame {frame} has {len(people)} people, expected at most {MOST_PEOPLE}")
    order = sorted(frames)
    shown = [list(frames[frame]) for frame in order]
    numbers = _detector_numbers(shown)
    remarks: list[str] = []
    if numbers is None:
        merged = [_merge_duplicates(people) for people in shown]
        twice = sum(len(people) > len(kept) for people, kept in zip(shown, merged, strict=True))
        if twice:
            remarks.append(f"people are detected twice in {twice} frames; the less sure detection is merged")
        shown = merged
        numbers = link_people([np.stack([person.points for person in people]) for people in shown], order)
        return _collect(order, shown, numbers), tuple(remarks)
    tracks = join_tracks(_collect(order, shown, numbers))
    remarks += [
        f"person {number} also has the tracker's numbers {list_names(list(map(str, track.joined)))}, "
        "which follow one another"
        for number, track in tracks.items()
        if track.joined
    ]
    return tracks, tuple(remarks)


def _collect(
    frames: Sequence[int], shown: Sequence[Sequence[Person]], numbers: Sequence[Sequence[int]]
) -> dict[int, Track]:
    seen: dict[int, list[tuple[int, np.ndarray]]] = {}
    for frame, people, tracked in zip(frames, shown, numbers, strict=True):
        for person, number in zip(people, tracked, strict=True):
            seen.setdefault(number, []).append((frame, person.points))
    return {
        number: Track(np.array([frame for frame, _ in some]), np.stack([points for _, points in some]))
        for number, some in seen.items()
    }


def _detector_numbers(frames: Sequence[Sequence[Person]]) -> list[list[int]] | None:
    """The detector's track numbers from 1, or None if they are incomplete or not unique in a frame."""
    numbers = [[person.track for person in people] for people in frames]
    given = [number for tracked in numbers for number in tracked if number is not None]
    if len(given) < sum(map(len, numbers)) or any(len(set(some)) < len(some) for some in numbers):
        return None
    shift = max(0, 1 - min(given))
    return [[number + shift for number in some if number is not None] for some in numbers]


def _merge_duplicates(people: list[Person]) -> list[Person]:
    """The people in a frame without second detections of one of them.

    Of two that agree (:data:`DUPLICATE_OKS`), the surer one stays, and takes over what it lacks.
    """
    if len(people) < 2:
        return people
    points = np.stack([person.points for person in people])
    similarity = oks_of_present(points)
    kept: list[int] = []
    merged = points.copy()
    for index in np.argsort(-mean_confidence(np.nan_to_num(points)), kind="stable"):
        same = similarity[index, kept]
        if not len(same) or same.max() < DUPLICATE_OKS:
            kept.append(int(index))
            continue
        stronger = kept[int(same.argmax())]
        lacking = ~present(merged[stronger])
        merged[stronger, lacking] = points[index, lacking]
    return [people[index]._replace(points=merged[index]) for index in sorted(kept)]


def join_tracks(tracks: Mapping[int, Track]) -> dict[int, Track]:
    """Tracks of which those are joined that follow one another for the same person.

    A track continues another one if it begins after that one's end, with at most :data:`JOIN_GAP` frames
    between, at most :data:`JOIN_DISTANCE` from it; the nearest first. The joined track has the number of its
    first part.
    """
    numbers = sorted(tracks, key=lambda number: (tracks[number].frames[0], number))
    ends: dict[int, list[int]] = {}
    for number in numbers:
        ends.setdefault(int(tracks[number].frames[-1]), []).append(number)
    links: list[tuple[float, int, int]] = []
    for number in numbers:
        start = int(tracks[number].frames[0])
        recent = (one for frame in range(start - 1, start - JOIN_GAP - 2, -1) for one in ends.get(frame, ()))
        before = list(islice(recent, MOST_PEOPLE))
        if before:
            last = np.stack([tracks[one].points[-1] for one in before])
            (apart,) = keypoint_distances(tracks[number].points[:1], last)
            nearest = np.argsort(apart, kind="stable")[:_NEAREST]
            links += [(float(apart[at]), before[at], number) for at in nearest]
    following: dict[int, int] = {}
    followers: set[int] = set()
    for far, one, number in sorted(links):
        if far <= JOIN_DISTANCE and one not in following and number not in followers:
            following[one] = number
            followers.add(number)
    return {number: _chain(tracks, following, number) for number in numbers if number not in followers}


def _chain(tracks: Mapping[int, Track], following: Mapping[int, int], number: int) -> Track:
    parts = [number]
    while parts[-1] in following:
        parts.append(following[parts[-1]])
    if len(parts) == 1:
        return tracks[number]
    return Track(
        np.concatenate([tracks[part].frames for part in parts]),
        np.concatenate([tracks[part].points for part in parts]),
        tuple(parts[1:]),
    )


def drop_brief(tracks: Mapping[int, Track], frames: int) -> tuple[dict[int, Track], tuple[str, ...]]:
    """The tracks whose memory is in proportion to the detections, and a remark if others are left out.

    A person takes memory for every frame of the clip. Where that is more than 16 times what was detected, the
    people who are seen in the fewest frames are left out.
    """
    detections = sum(len(track.frames) for track in tracks.values())
    most = max(1, (100_000 + 16 * detections) // frames)
    if len(tracks) <= most:
        return dict(tracks), ()
    longest = sorted(tracks, key=lambda number: (-len(tracks[number].frames), number))
    kept, dropped = longest[:most], longest[most:]
    longest_dropped = len(tracks[dropped[0]].frames)
    return {number: tracks[number] for number in kept}, (
        f"{len(dropped)} of {len(tracks)} people are left out, who are seen in at most {longest_dropped} of "
        f"{frames} frames",
    )


def scored_if_none_is(frames: Mapping[int, list[Person]]) -> tuple[dict[int, list[Person]], tuple[str, ...]]:
    """The people, with scores of 1 for keypoints with a position if all scores are 0; a remark."""
    everyone = [person for people in frames.values() for person in people]
    if not everyone or any(np.nan_to_num(person.points[..., 2]).any() for person in everyone):
        return dict(frames), ()

    def scored(person: Person) -> Person:
        points = person.points.copy()
        points[..., 2] = 1
        points[~present(points), 2] = 0
        return person._replace(points=points)

    if not any(present(scored(person).points).any() for person in everyone):
        return dict(frames), ()
    remark = "all scores are 0: every keypoint with a position counts as sure"
    return {number: [scored(person) for person in people] for number, people in frames.items()}, (remark,)
