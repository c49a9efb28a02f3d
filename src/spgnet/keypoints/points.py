"""Keypoints of one person as JSON holds them: flat or nested lists of x, y and score."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS
from spgnet.keypoints.set_choice import SET_BY_COUNT
from spgnet.keypoints.values import number_array, whole_number


def points_of(values: Any, what: str, scores: Any = None) -> Float[np.ndarray, "keypoints 3"]:
    """Keypoints from a list of x, y, score, x, y, score, ... or of [x, y, score]; scores may be left out.

    Args:
        values: the list.
        what: name for the message.
        scores: one for each keypoint, if they are elsewhere.

    Raises:
        InputError: it is no such list.
    """
    nested = isinstance(values, np.ndarray) or (
        isinstance(values, list) and isinstance((values or [0])[0], list)
    )
    points = number_array(values, what, ("keypoints", "x, y, score") if nested else ("numbers",))
    if not nested:
        points = points.reshape(-1, _numbers_each(len(points), scores is not None, what))
    if points.shape[1] not in (2, 3):
        raise InputError(f"{what} has {points.shape[1]} numbers for each keypoint, expected x, y and score")
    if scores is not None:
        return np.column_stack((points[:, :2], number_array(scores, f"{what}: scores", (len(points),))))
    return points if points.shape[1] == 3 else np.column_stack((points, np.ones(len(points))))


def _numbers_each(length: int, scores_elsewhere: bool, what: str) -> int:
    counts = {*SET_BY_COUNT, *KEYPOINT_COUNTS.values()}
    if scores_elsewhere or length % 3:
        if length % 2 == 0 and (scores_elsewhere or length // 2 in counts):
            return 2
        raise InputError(f"{what} has {length} numbers, expected x, y, score of each")
    return 3


def track_of(value: Any, what: str) -> int | None:
    """The track number that a detector wrote as 3, 3.0 or [3.0]; None for -1, a person not tracked.

    Raises:
        InputError: it is not a whole number.
    """
    while isinstance(value, list) and value:
        value = value[0]
    if value is None or value == []:
        return None
    number = whole_number(value, f"{what}: the person's number")
    return number if number >= 0 else None
