"""Appearance of people: the colours of their clothes, to tell apart people in similar places and poses."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from spgnet.keypoints import KeypointSetName
from spgnet.keypoints.keypoints import KEYPOINT_NAMES
from spgnet.keypoints.similarity import VISIBLE_SCORE

COLOUR_SIGMA = 0.12
"""Standard deviation of the colour difference (black to white is 1); there the similarity is exp(-1/2)."""


def appearance(
    image: UInt8[np.ndarray, "height width 3"],
    points: Float[np.ndarray, "joints 3"],
    keypoint_set: KeypointSetName,
) -> Float[np.ndarray, " 9"]:
    """Mean RGB, in [0, 1], of the upper torso, the lower torso and the thighs; NaN where not visible.

    Args:
        image: RGB.
        points: x and y in pixels, and score, of one person's keypoints.
        keypoint_set: the set of these keypoints.
    """
    names = KEYPOINT_NAMES[keypoint_set]
    limbs = {
        part: np.array([points[names.index(f"{side}_{part}")] for side in ("left", "right")], dtype=float)
        for part in ("shoulder", "hip", "knee")
    }
    torso = [limbs["shoulder"], limbs["hip"]]
    parts = [
        _mean_colour(image, *torso, downwards=(0.1, 0.25, 0.4), across=(0.25, 0.5, 0.75)),
        _mean_colour(image, *torso, downwards=(0.6, 0.75, 0.9), across=(0.25, 0.5, 0.75)),
        _mean_colour(image, limbs["hip"], limbs["knee"], downwards=(0.2, 0.4, 0.6), across=(0.0, 1.0)),
    ]
    return np.concatenate(parts)


def appearance_similarity(one: Float[np.ndarray, " 9"], other: Float[np.ndarray, " 9"]) -> float:
    """Similarity of two appearances, from 0 to 1; 0.5 if no part of the body is visible in both."""
    difference = one - other
    if np.isnan(difference).all():
        return 0.5
    return float(np.exp(-np.nanmean(difference**2) / (2 * COLOUR_SIGMA**2)))


def _mean_colour(
    image: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    *,
    downwards: tuple[float, ...],
    across: tuple[float, ...],
) -> np.ndarray:
    """Mean RGB of the pixels on a grid between two pairs (left, right) of keypoints [2, 3].

    Args:
        image: RGB [height, width, 3].
        upper: the pair at the upper end.
        lower: the pair at the lower end.
        downwards: rows of the grid: 0 is the upper pair, 1 the lower.
        across: columns of the grid: 0 is left, 1 right.
    """
    if min(upper[:, 2].min(), lower[:, 2].min()) < VISIBLE_SCORE:
        return np.full(3, np.nan)
    down, side = np.array(downwards)[:, None, None, None], np.array(across)[:, None, None]
    line = upper[:, :2] + down * (lower[:, :2] - upper[:, :2])
    grid = (line[..., :1, :] + side * (line[..., 1:, :] - line[..., :1, :])).reshape(-1, 2)
    height, width = image.shape[:2]
    grid = grid.round().astype(int)
    inside = ((grid >= 0) & (grid < (width, height))).all(axis=-1)
    if not inside.any():
        return np.full(3, np.nan)
    return image[grid[inside, 1], grid[inside, 0]].mean(axis=0) / 255
