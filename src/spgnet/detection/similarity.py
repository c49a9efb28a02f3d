"""How alike two detections are, in place, pose and clothes, and the best assignment by it."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.keypoints import KeypointSetName
from spgnet.keypoints.sets import KEYPOINT_NAMES

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
