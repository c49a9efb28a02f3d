"""Similarity of poses and of boxes, and optimal assignment, for linking and tracking."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Real

from spgnet.keypoints.keypoints import present

VISIBLE_SCORE = 0.3
"""Score from which a keypoint counts as visible."""
OKS_SIGMA = 0.08
"""Distance of two keypoints, relative to the box diagonal, at which their similarity is exp(-1/2)."""
MIN_SHARED = 4
"""Keypoints that must be visible in both poses for them to be compared."""


def visible(points: Float[np.ndarray, "*people joints 3"]) -> Bool[np.ndarray, "*people joints"]:
    """Which keypoints (x, y, score) have a score of :data:`VISIBLE_SCORE` or more."""
    return points[..., 2] >= VISIBLE_SCORE


def mean_confidence(points: Float[np.ndarray, "people joints 3"]) -> Float[np.ndarray, " people"]:
    """Mean score of the better half of each person's keypoints (x, y, score).

    It is about 0.2 on a background without people and 0.8 on a person, even if only half of the body is in
    the image.
    """
    scores = np.sort(points[..., 2], axis=-1)
    return scores[:, scores.shape[1] // 2 :].mean(axis=-1)


def bounding_box(points: Real[np.ndarray, "joints dims"]) -> Float[np.ndarray, " 4"]:
    """Bounding box (left, top, right, bottom) of points (x, y, ...); zeros for no points."""
    if not len(points):
        return np.zeros(4)
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)]).astype(np.float64)


def keypoint_box(points: Float[np.ndarray, "joints 3"]) -> Float[np.ndarray, " 4"]:
    """Bounding box of the visible keypoints in pixels, or of all if fewer than two are visible."""
    is_visible = visible(points)
    return bounding_box(points[is_visible] if is_visible.sum() > 1 else points)


def enlarge(box: Float[np.ndarray, " 4"], share: float) -> Float[np.ndarray, " 4"]:
    """A box with every side moved outwards by a fraction (`share`) of its longer side."""
    margin = share * (box[2:] - box[:2]).max()
    return box + margin * np.array([-1.0, -1.0, 1.0, 1.0])


def diagonal(box: Float[np.ndarray, " 4"]) -> float:
    """Diagonal of a box (left, top, right, bottom) in pixels, at least 1."""
    return max(float(np.linalg.norm(box[2:] - box[:2])), 1.0)


def box_area(box: Float[np.ndarray, " 4"]) -> float:
    """Area of a box (left, top, right, bottom) in square pixels."""
    return float((box[2:] - box[:2]).prod())


def iou(one: Float[np.ndarray, "n 4"], other: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every pair of boxes (left, top, right, bottom)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared).clip(1e-9)


def oks(
    one: Float[np.ndarray, "n joints 3"], other: Float[np.ndarray, "m joints 3"]
) -> Float[np.ndarray, "n m"]:
    """Object keypoint similarity of every pair of poses, from 0 to 1.

    As COCO defines it, but with one sigma for all keypoints (:data:`OKS_SIGMA`) and the diagonal of the
    larger person's box as the scale; over the keypoints visible in both, and 0 if these are fewer than
    :data:`MIN_SHARED`.
    """
    both = visible(one)[:, None] & visible(other)[None]
    squared = ((one[:, None, :, :2] - other[None, :, :, :2]) ** 2).sum(axis=-1)
    sizes = [np.array([diagonal(keypoint_box(person)) for person in points]) for points in (one, other)]
    scale = OKS_SIGMA * np.maximum(sizes[0][:, None], sizes[1][None, :])
    similarity = np.exp(-squared / (2 * scale[..., None] ** 2)) * both
    shared = both.sum(axis=-1)
    return np.where(shared >= MIN_SHARED, similarity.sum(axis=-1) / shared.clip(1), 0.0)


def oks_of_present(people: Float[np.ndarray, "people joints 3"]) -> Float[np.ndarray, "people people"]:
    """:func:`oks` of every pair of poses in a frame, over all keypoints present in both, however unsure."""
    there, sizes = present(people), _diagonals(people)
    positions = np.where(there[..., None], people[..., :2], 0)
    result = np.zeros((len(people), len(people)))
    for row, (mask, place, size) in enumerate(zip(there, positions, sizes, strict=True)):
        both, scale = there & mask, OKS_SIGMA * np.maximum(size, sizes)
        squared = ((place - positions) ** 2).sum(axis=-1)
        similarity = (np.exp(-squared / (2 * scale[:, None] ** 2)) * both).sum(axis=-1)
        shared = both.sum(axis=-1)
        result[row] = np.where(shared >= MIN_SHARED, similarity / shared.clip(1), 0)
    return result


def keypoint_distances(
    people: Float[np.ndarray, "people joints 3"], others: Float[np.ndarray, "others joints 3"]
) -> Float[np.ndarray, "people others"]:
    """Mean distance of the keypoints present in two poses, for every pair.

    It is relative to the larger one's box diagonal, and infinite if no keypoint is present in both.
    """
    there, sizes = present(others), _diagonals(others)
    positions = np.where(there[..., None], others[..., :2], 0)
    result = np.full((len(people), len(others)), np.inf)
    for row, (person, size) in enumerate(zip(people, _diagonals(people), strict=True)):
        both = there & present(person)
        difference = np.where(both[..., None], np.nan_to_num(person[:, :2]) - positions, 0)
        apart, shared = np.sqrt((difference**2).sum(axis=-1)).sum(axis=-1), both.sum(axis=-1)
        np.divide(apart, shared * np.maximum(size, sizes), out=result[row], where=shared > 0)
    return result


def _diagonals(people: np.ndarray) -> np.ndarray:
    """Diagonals of the boxes of the present keypoints, at least 1; 1 where none is present."""
    there = present(people)[..., None]
    low = np.where(there, people[..., :2], np.inf).min(axis=-2)
    high = np.where(there, people[..., :2], -np.inf).max(axis=-2)
    spread = np.where(np.isfinite(high), high - np.where(np.isfinite(low), low, 0), 0)
    return np.linalg.norm(spread, axis=-1).clip(1)


def best_assignment(gain: Float[np.ndarray, "rows columns"]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the assignment with the largest total gain; pairs without gain are left out."""
    from scipy.optimize import linear_sum_assignment

    pairs = zip(*linear_sum_assignment(gain.clip(0), maximize=True), strict=True)
    return [(int(row), int(column)) for row, column in pairs if gain[row, column] > 0]
