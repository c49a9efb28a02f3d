"""Following people from frame to frame by place, pose and appearance (docs/detection.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.detection.detector import Detector
from spgnet.errors import InputError
from spgnet.keypoints import KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_NAMES

VISIBLE = 0.3
"""Score from which a keypoint counts as seen."""
TOLERANCE = 0.08
"""Distance of keypoints, in diagonals of the person's box, at which their likeness has fallen to 0.6."""
COLOUR_TOLERANCE = 0.12
"""Difference of colours (1 is black against white) at which the likeness of clothes has fallen to 0.6."""


def visible(points: Float[np.ndarray, "*people joints 3"]) -> np.ndarray:
    """Which keypoints are seen, [*people, joints]."""
    return points[..., 2] >= VISIBLE


def clarity(points: Float[np.ndarray, "people joints 3"]) -> Float[np.ndarray, " people"]:
    """Mean score of the better half of each person's keypoints.

    About 0.2 on a background without people, 0.8 on a person, also on one of whom only half is in the image.
    """
    scores = np.sort(points[..., 2], axis=-1)
    return scores[:, scores.shape[1] // 2 :].mean(axis=-1)


def keypoint_box(points: Float[np.ndarray, "joints 3"]) -> Float[np.ndarray, " 4"]:
    """Left, top, right and bottom of the keypoints that are seen (of all, if fewer than two are)."""
    seen = points[visible(points), :2] if visible(points).sum() > 1 else points[:, :2]
    return np.concatenate([seen.min(axis=0), seen.max(axis=0)]).astype(np.float64)


def enlarge(box: Float[np.ndarray, " 4"], share: float) -> Float[np.ndarray, " 4"]:
    """A box larger by a share of its longer side, at each of its sides."""
    margin = share * (box[2:] - box[:2]).max()
    return box + margin * np.array([-1.0, -1.0, 1.0, 1.0])


def diagonal(box: Float[np.ndarray, " 4"]) -> float:
    """Diagonal of a box in pixels, at least one."""
    return max(float(np.linalg.norm(box[2:] - box[:2])), 1.0)


def overlap(one: Float[np.ndarray, "n 4"], other: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every pair of boxes."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared).clip(1e-9)


def pose_likeness(
    one: Float[np.ndarray, "n joints 3"], other: Float[np.ndarray, "m joints 3"]
) -> Float[np.ndarray, "n m"]:
    """Likeness of every pair of poses, from 0 to 1: COCO's object keypoint similarity with one tolerance for
    all keypoints, over those seen in both; 0 if they share fewer than four."""
    both = visible(one)[:, None] & visible(other)[None]
    squared = ((one[:, None, :, :2] - other[None, :, :, :2]) ** 2).sum(axis=-1)
    sizes = [np.array([diagonal(keypoint_box(person)) for person in points]) for points in (one, other)]
    size = TOLERANCE * np.maximum(sizes[0][:, None], sizes[1][None, :])
    likeness = np.exp(-squared / (2 * size[..., None] ** 2)) * both
    return np.where(both.sum(axis=-1) >= 4, likeness.sum(axis=-1) / both.sum(axis=-1).clip(1), 0.0)


@cache
def mirror(keypoint_set: KeypointSetName) -> list[int]:
    """For each keypoint the index of its twin on the other side of the body (itself on the midline)."""
    names = KEYPOINT_NAMES[keypoint_set]
    other = {"left": "right", "right": "left"}
    parted = [name.partition("_") for name in names]
    return [
        names.index(f"{other[side]}_{rest}" if side in other else side + dash + rest)
        for side, dash, rest in parted
    ]


def clothes(
    image: UInt8[np.ndarray, "height width 3"],
    points: Float[np.ndarray, "joints 3"],
    keypoint_set: KeypointSetName,
) -> Float[np.ndarray, " colours"]:
    """Mean RGB in [0, 1] of the upper torso, the lower torso and the thighs; NaN where not seen."""
    names = KEYPOINT_NAMES[keypoint_set]
    limbs = {
        part: np.array([points[names.index(f"{side}_{part}")] for side in ("left", "right")], dtype=float)
        for part in ("shoulder", "hip", "knee")
    }
    torso = [limbs["shoulder"], limbs["hip"]]
    parts = [
        _colour(image, *torso, downwards=(0.1, 0.25, 0.4), across=(0.25, 0.5, 0.75)),
        _colour(image, *torso, downwards=(0.6, 0.75, 0.9), across=(0.25, 0.5, 0.75)),
        _colour(image, limbs["hip"], limbs["knee"], downwards=(0.2, 0.4, 0.6), across=(0.0, 1.0)),
    ]
    return np.concatenate(parts)


def clothes_likeness(one: Float[np.ndarray, " colours"], other: Float[np.ndarray, " colours"]) -> float:
    """Likeness of two people's clothes, from 0 to 1; 0.5 where nothing can be compared."""
    difference = one - other
    if np.isnan(difference).all():
        return 0.5
    return float(np.exp(-np.nanmean(difference**2) / (2 * COLOUR_TOLERANCE**2)))


def best_assignment(gain: Float[np.ndarray, "rows columns"]) -> list[tuple[int, int]]:
    """Pairs (row, column), each used once, whose gains have the largest sum; no pair without gain.

    The exact solution by shortest augmenting paths, made for the few people of one picture.
    """
    rows, columns = gain.shape
    # A column of no gain for each row: staying alone.
    cost = np.concatenate([-gain, np.zeros((rows, rows))], axis=1) + gain.max(initial=0.0)
    row_of = np.full(rows + columns, -1)
    row_price, column_price = np.zeros(rows), np.zeros(rows + columns)
    for row in range(rows):
        distance, before = np.full(rows + columns, np.inf), np.full(rows + columns, -1)
        done = np.zeros(rows + columns, dtype=bool)
        at, column, reached = row, -1, 0.0
        while at >= 0:
            reduced = reached + cost[at] - row_price[at] - column_price
            nearer = ~done & (reduced < distance)
            distance[nearer], before[nearer] = reduced[nearer], column
            column = int(np.where(done, np.inf, distance).argmin())
            reached, done[column], at = float(distance[column]), True, int(row_of[column])
        for other in np.flatnonzero(done & (row_of >= 0)):
            row_price[row_of[other]] += reached - distance[other]
            column_price[other] -= reached - distance[other]
        row_price[row] += reached
        while column >= 0:
            previous = int(before[column])
            row_of[column] = row_of[previous] if previous >= 0 else row
            column = previous
    return [(int(row_of[c]), c) for c in range(columns) if row_of[c] >= 0 and gain[row_of[c], c] > 0]


def _colour(
    image: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    *,
    downwards: tuple[float, ...],
    across: tuple[float, ...],
) -> np.ndarray:
    """Mean colour at some points between two pairs (left, right) of keypoints [2, 3]."""
    if min(upper[:, 2].min(), lower[:, 2].min()) < VISIBLE:
        return np.full(3, np.nan)
    down, side = np.array(downwards)[:, None, None, None], np.array(across)[:, None, None]
    line = upper[:, :2] + down * (lower[:, :2] - upper[:, :2])
    places = (line[..., :1, :] + side * (line[..., 1:, :] - line[..., :1, :])).reshape(-1, 2)
    height, width = image.shape[:2]
    places = places.round().astype(int)
    inside = ((places >= 0) & (places < (width, height))).all(axis=-1)
    if not inside.any():
        return np.full(3, np.nan)
    return image[places[inside, 1], places[inside, 0]].mean(axis=0) / 255


@dataclass(frozen=True)
class TrackingConfig:
    """How people are followed.

    Args:
        boxes_every: run the person detector in every n-th frame, and in every one while somebody is lost or
            unclear or nobody is there. Known people are followed by their keypoints in any case.
        memory: seconds for which somebody lost may come back under the same number.
        proof: seconds for which somebody must be followed to count at all.
        start_clarity: clarity (mean score of the better half of the keypoints) that a new person needs.
        keep_clarity: clarity that a known person needs.
        sure_clarity: clarity that needs no confirmation by the person detector.
        same_person: likeness of two poses above which they are one person, detected twice.
    """

    boxes_every: int = 5
    memory: float = 1.0
    proof: float = 0.3
    start_clarity: float = 0.5
    keep_clarity: float = 0.35
    sure_clarity: float = 0.65
    same_person: float = 0.5

    def __post_init__(self) -> None:
        if self.boxes_every < 1:
            raise InputError(f"boxes_every must be 1 or more, got {self.boxes_every}")


@dataclass(frozen=True)
class Sighting:
    """One person in one frame.

    Args:
        serial: the same for the same person, different for any two.
        track: number of a person who counts, from 1, without gaps; 0 as long as there is no proof.
        keypoints: x and y in pixels and score.
    """

    serial: int
    track: int
    keypoints: Float[np.ndarray, "joints 3"]


@dataclass
class _Track:
    serial: int
    points: np.ndarray
    first: float
    last: float
    looks: np.ndarray
    supported: float
    number: int = 0
    sightings: int = 1
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def predicted(self, time: float) -> np.ndarray:
        """The keypoints moved on at constant velocity, which fades if the person stays lost."""
        fade = 0.4
        gap = min(time - self.last, 10 * fade)
        moved = self.points.copy()
        moved[:, :2] += self.velocity * fade * (1 - np.exp(-gap / fade))
        return moved

    def see(self, points: np.ndarray, time: float, looks: np.ndarray | None) -> None:
        both = visible(points) & visible(self.points)
        if both.any():
            moved = np.median(points[both, :2] - self.points[both, :2], axis=0) / (time - self.last)
            share = 1.0 if self.sightings == 1 else 1 - np.exp(-(time - self.last) / 0.08)
            self.velocity += share * (moved - self.velocity)
        self.points, self.last = points, time
        self.sightings += 1
        if looks is not None:
            mixed = 0.9 * self.looks + 0.1 * looks
            self.looks = np.where(np.isnan(mixed), np.where(np.isnan(self.looks), looks, self.looks), mixed)


class Tracker:
    """Follows people through frames given one by one. Its memory does not grow.

    Every frame has candidates: the poses in the boxes of the person detector and in the places where people
    are expected, each person once. Then candidates and people are paired so that the sum of their likeness in
    place, pose and clothes is largest. Who gets no candidate is lost, and forgotten after a while.
    """

    def __init__(self, detector: Detector, config: TrackingConfig | None = None) -> None:
        self.detector = detector
        self.config = config or TrackingConfig()
        self._joints = len(KEYPOINT_NAMES[detector.keypoint_set])
        self._tracks: list[_Track] = []
        self._frames = self._serials = self._numbers = 0
        self._time = -np.inf

    def update(self, image: UInt8[np.ndarray, "height width 3"], time: float) -> list[Sighting]:
        """The people in the next frame, at a time in seconds that increases."""
        self._tracks = [track for track in self._tracks if time - track.last <= self.config.memory]
        settled = self._tracks and all(self._is_clear(track) for track in self._tracks)
        looking = not settled or self._frames % self.config.boxes_every == 0
        self._frames += 1
        points, found = self._candidates(image, time, looking)
        looks = [clothes(image, person, self.detector.keypoint_set) for person in points]
        pairs = best_assignment(self._gains(points, looks, time))
        boxes = [keypoint_box(person) for person in points]
        for row, column in pairs:
            track = self._tracks[row]
            alone = sum(overlap(boxes[column][None], np.array(boxes))[0] > 0.1) == 1
            track.see(points[column], time, looks[column] if alone else None)
            if found[column] or not looking or clarity(points[column][None])[0] > self.config.sure_clarity:
                track.supported = time
        new = set(range(len(points))) - {column for _, column in pairs}
        for column in sorted(new, key=lambda column: -diagonal(boxes[column])):
            if found[column]:
                self._begin(points[column], looks[column], time)
        self._time = time
        # A place that no box confirms for long is no person.
        self._tracks = [track for track in self._tracks if time - track.supported <= 1.5 * self.config.memory]
        return self._sightings(time)

    def _candidates(self, image: np.ndarray, time: float, looking: bool) -> tuple[np.ndarray, list[bool]]:
        """Poses [n, joints, 3], each person once, and whether the person detector confirms them.

        The box about somebody's last keypoints gives better keypoints than the person detector's, so the
        latter serves only those who are new, lost or unclear.
        """
        near = [track for track in self._tracks if time - track.last <= 0.25 * self.config.memory]
        expected = np.array([track.predicted(time) for track in near]).reshape(len(near), self._joints, 3)
        places = np.array([enlarge(keypoint_box(points), 0.05) for points in expected]).reshape(-1, 4)
        boxes = self.detector.boxes(image) if looking else np.zeros((0, 4))
        shared = overlap(places, boxes)
        confirmed = dict(best_assignment(np.where(shared > 0.4, shared, 0.0)))
        known = {box for row, box in confirmed.items() if self._is_clear(near[row])}
        new = [box for index, box in enumerate(boxes) if index not in known]
        points = self.detector.pose(image, np.concatenate([places, np.array(new).reshape(-1, 4)]))
        found = [row in confirmed for row in range(len(near))] + [True] * len(new)
        return self._without_twins(points, found, expected)

    def _without_twins(
        self, points: np.ndarray, found: list[bool], expected: np.ndarray
    ) -> tuple[np.ndarray, list[bool]]:
        """Clear poses, and of those of the same person the one that is clear and continues a motion."""
        clear = clarity(points)
        worth = clear + 0.2 * pose_likeness(points, expected).max(axis=1, initial=0.0)
        same = self._alike(points, points) > self.config.same_person
        kept: list[int] = []
        for index in np.argsort(-worth, kind="stable").tolist():
            if clear[index] < self.config.keep_clarity or visible(points[index]).sum() < 4:
                continue
            twins = [other for other in kept if same[index, other]]
            for twin in twins:
                found[twin] = found[twin] or found[index]
            if not twins:
                kept.append(index)
        return points[kept], [found[index] for index in kept]

    def _alike(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Likeness of poses, also if left and right are confused in one of them."""
        mirrored = other[:, mirror(self.detector.keypoint_set)]
        return np.maximum(pose_likeness(one, other), pose_likeness(one, mirrored))

    def _is_clear(self, track: _Track) -> bool:
        """Whether somebody was seen well in the last frame."""
        return track.last == self._time and bool(clarity(track.points[None])[0] >= self.config.start_clarity)

    def _gains(self, points: np.ndarray, looks: Sequence[np.ndarray], time: float) -> np.ndarray:
        """How well each person [rows] goes with each candidate [columns]; 0 where they cannot be the same."""
        gains = np.zeros((len(self._tracks), len(points)))
        for row, track in enumerate(self._tracks):
            expected, gap = track.predicted(time), time - track.last
            box = keypoint_box(expected)
            for column, candidate in enumerate(points):
                there = keypoint_box(candidate)
                reach = diagonal(box) * (0.25 + 0.75 * min(gap, 1.0))
                apart = np.linalg.norm(_middle(box) - _middle(there)) / reach
                ratio = diagonal(there) / diagonal(box)
                if apart > 1.5 or not 0.5 < ratio < 2.0:
                    continue
                gains[row, column] = (
                    pose_likeness(expected[None], candidate[None])[0, 0]
                    + overlap(box[None], there[None])[0, 0]
                    + np.exp(-(apart**2) / 2)
                    + 1.5 * clothes_likeness(track.looks, looks[column])
                    + 0.3 * min(track.last - track.first, 1.0)  # if in doubt, the one known for longer
                )
        return gains

    def _begin(self, points: np.ndarray, looks: np.ndarray, time: float) -> None:
        """Begin a new track, unless the person is unclear or too much like somebody who is there."""
        seen = [track.points for track in self._tracks if track.last == time]
        if clarity(points[None])[0] < self.config.start_clarity:
            return
        if seen and self._alike(points[None], np.array(seen)).max() > 0.6 * self.config.same_person:
            return
        self._serials += 1
        self._tracks.append(_Track(self._serials, points, first=time, last=time, looks=looks, supported=time))

    def _sightings(self, time: float) -> list[Sighting]:
        seen = [track for track in self._tracks if track.last == time]
        for track in seen:
            if not track.number and track.sightings > 1 and time - track.first >= self.config.proof:
                self._numbers += 1
                track.number = self._numbers
        return [Sighting(track.serial, track.number, track.points) for track in seen]


def _middle(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2
