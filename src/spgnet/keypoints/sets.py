"""The keypoint sets of the detectors, and how each becomes the 17 joints of Human3.6M."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Real

from spgnet.keypoints.keypoints import Keypoints, KeypointSetName, as_floats, present
from spgnet.skeleton import HUMAN36M


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_COCO = _words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)

KEYPOINT_NAMES: dict[KeypointSetName, tuple[str, ...]] = {
    "human36m17": HUMAN36M.names,
    "coco17": _COCO,
    "halpe26": _COCO
    + _words("head neck hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"),
    "body25": _words(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
        "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
        "left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
    ),
    "mediapipe33": _words(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
        "right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
        "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
    ),
}
"""Names of every set's keypoints, in the order of the detector's output."""

_HIPS = ("left_hip", "right_hip")
_SHOULDERS = ("left_shoulder", "right_shoulder")
_LIMBS = {
    f"{side}_{part}": (f"{side}_{part}",)
    for side in ("left", "right")
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
}


def _sources(pelvis: tuple[str, ...], thorax: tuple[str, ...], head: tuple[str, ...]) -> dict:
    """A detector's table; its spine is the middle of pelvis and thorax, which have equally many sources."""
    assert len(pelvis) == len(thorax)
    middle = {"pelvis": pelvis, "spine": pelvis + thorax, "thorax": thorax}
    table = {**_LIMBS, **middle, "nose": ("nose",), "head_top": head}
    return {name: table[name] for name in HUMAN36M.names}


SOURCES: dict[KeypointSetName, dict[str, tuple[str, ...]]] = {
    "human36m17": {name: (name,) for name in HUMAN36M.names},
    "coco17": _sources(_HIPS, _SHOULDERS, ()),
    "halpe26": _sources(("hip",), ("neck",), ("head",)),
    "body25": _sources(("mid_hip",), ("neck",), ()),
    "mediapipe33": _sources(_HIPS, _SHOULDERS, ()),
}
"""For every set and every joint of Human3.6M, the keypoints whose mean it is; none if the set lacks it.

``spine`` is derived, except in human36m17: it is the middle of pelvis and thorax and adds nothing.
"""


@cache
def _weights(keypoint_set: KeypointSetName) -> np.ndarray:
    """[17, keypoints]: row j holds the share of each keypoint in joint j."""
    names = KEYPOINT_NAMES[keypoint_set]
    weights = np.zeros((len(HUMAN36M), len(names)))
    for joint, sources in enumerate(SOURCES[keypoint_set].values()):
        for source in sources:
            weights[joint, names.index(source)] = 1 / len(sources)
    return weights


def points_to_human36m(
    points: Real[np.ndarray, "*frames joints 3"], keypoint_set: KeypointSetName
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """:func:`to_human36m` for bare points (x, y in pixels and score), of one frame or of many."""
    points = as_floats(points)
    weights = _weights(keypoint_set).astype(points.dtype)
    clean = np.where(present(points)[..., None], points, 0)
    used = weights > 0
    scores = np.where(used, clean[..., None, :, 2], np.inf).min(axis=-1)
    confidence = np.where(used.any(axis=-1), scores, 0).clip(0, 1).astype(points.dtype)
    pixels = np.where(confidence[..., None] > 0, weights @ clean[..., :2], np.nan)
    return pixels.astype(points.dtype), confidence


def to_human36m(
    keypoints: Keypoints,
) -> tuple[Float[np.ndarray, "frames 17 2"], Float[np.ndarray, "frames 17"]]:
    """The 17 joints of Human3.6M, in the order of :data:`spgnet.skeleton.HUMAN36M`.

    A joint is the mean of its sources (:data:`SOURCES`) and as sure as the least sure of them. It is missing
    where one of them is missing, and everywhere if the set has none.

    Returns:
        The joints in pixels, NaN where missing, and their confidence in [0, 1], 0 where missing.
    """
    return points_to_human36m(keypoints.points, keypoints.keypoint_set)
