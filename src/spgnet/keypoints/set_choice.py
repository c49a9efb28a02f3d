"""Which keypoint set the people in a file have, by how many keypoints there are and by the body they make."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KeypointSetName, points_to_human36m, present

SET_BY_COUNT: dict[int, KeypointSetName] = {
    17: "coco17",
    18: "coco18",
    19: "panoptic19",
    25: "body25",
    26: "halpe26",
    33: "mediapipe33",
    133: "wholebody133",
    135: "body25b",
    136: "halpe26",
    543: "mediapipe33",
    553: "mediapipe33",
}
"""The keypoint set by the number of keypoints, for a file that does not name its set. Of other sets with face
and hands only the body is read, with which they begin: BODY_25B's 25 of OpenPose's 135, Halpe's 26 of 136,
MediaPipe's 33 of the 543 or 553 of Holistic and FreeMoCap."""

PLAUSIBLE, MUCH_BETTER = 0.2, 0.5
"""Another set than the usual one is chosen if its bones are off by less than this (:func:`disproportion`),
and by less than this share of what those of the usual set are off by. Real bodies are off by 0.04 to 0.11 in
their own order, and mostly by 0.25 to 0.65 in a wrong one."""
_LOOKED_AT = 500
"""Poses that are looked at."""
_SIDES = ("left", "right")
_LIMBS = {
    ("hip", "knee"): 0.45,
    ("knee", "ankle"): 0.43,
    ("shoulder", "elbow"): 0.29,
    ("elbow", "wrist"): 0.25,
    ("hip", "shoulder"): 0.50,
}
_BONES = {
    **{
        (f"{side}_{one}", f"{side}_{end}"): length for (one, end), length in _LIMBS.items() for side in _SIDES
    },
    **{("nose", f"{side}_shoulder"): 0.27 for side in _SIDES},
}
_WIDTHS = {
    ("left_hip", "right_hip"): 0.22,
    ("left_shoulder", "right_shoulder"): 0.34,
    **{("pelvis", f"{side}_hip"): 0.11 for side in _SIDES},
    **{("thorax", f"{side}_shoulder"): 0.17 for side in _SIDES},
}
"""Lengths of an adult's bones in metres, and widths of the body, which vanish in a view from the side."""


def fits(keypoint_set: KeypointSetName, count: int) -> bool:
    """Whether people with this many keypoints can be of that set, or of a larger one that begins with it."""
    begins = keypoint_set == "coco17" and SET_BY_COUNT.get(count) == "wholebody133"
    return count == KEYPOINT_COUNTS[keypoint_set] or SET_BY_COUNT.get(count) == keypoint_set or begins


def set_of_people(points: Float[np.ndarray, "poses keypoints 3"]) -> tuple[KeypointSetName, str]:
    """The keypoint set of people, and a remark if their number of keypoints is that of several sets.

    Of several sets it is the usual one (:data:`SET_BY_COUNT`), unless the body is much better proportioned in
    the order of another one (:data:`MUCH_BETTER`): in a wrong order limbs run across the body.

    Raises:
        InputError: no set has that number of keypoints.
    """
    count = points.shape[1]
    usual = SET_BY_COUNT.get(count)
    if usual is None:
        counts = ", ".join(f"{number} ({name})" for number, name in SET_BY_COUNT.items())
        raise InputError(f"people have {count} keypoints, expected {counts}")
    others: list[KeypointSetName] = [
        name for name, size in KEYPOINT_COUNTS.items() if size == count < 100 and name != usual
    ]
    if not others:
        return usual, ""
    off = {name: disproportion(points, name) for name in (usual, *others)}
    best: KeypointSetName = min(others, key=lambda name: off[name])
    chosen = best if off[best] < min(PLAUSIBLE, MUCH_BETTER * off[usual]) else usual
    if chosen == "coco17":  # as nearly every detector's 17 are
        return chosen, ""
    told = f"{count} keypoints can be {' or '.join((usual, *others))}"
    return chosen, f"{told}: taken for {chosen} by the body's proportions; --keypoint-set says another"


def disproportion(points: Float[np.ndarray, "poses keypoints 3"], keypoint_set: KeypointSetName) -> float:
    """By how much the bones of people differ from those of a body in their proportions: mean of the absolute
    logarithms, infinite if hardly any bone is there.

    A bone has the length of the upper quartile over the poses, in which it is least foreshortened.
    """
    step = max(1, len(points) // _LOOKED_AT)
    pixels, confidence = points_to_human36m(points[::step], keypoint_set)
    there = confidence > 0
    lengths, widths = (
        np.array([_log_length(pixels, there, *ends) - np.log(length) for ends, length in bones.items()])
        for bones in (_BONES, _WIDTHS)
    )
    if np.isfinite(lengths).sum() < 4:
        return np.inf
    scale = np.nanmedian(lengths)
    off = np.concatenate((np.abs(lengths - scale), (widths - scale).clip(0)))
    return float(np.nanmean(off.clip(max=2)))


def _log_length(pixels: np.ndarray, there: np.ndarray, one: str, other: str) -> float:
    """Logarithm of a bone's length in pixels; NaN where it is not seen."""
    first, second = HUMAN36M.names.index(one), HUMAN36M.names.index(other)
    both = there[:, first] & there[:, second]
    if not both.any():
        return np.nan
    length = np.percentile(np.linalg.norm(pixels[both, first] - pixels[both, second], axis=-1), 75)
    return float(np.log(max(length, 1e-6)))


def is_centred_on_the_hips(
    points: Float[np.ndarray, "poses keypoints 3"], keypoint_set: KeypointSetName
) -> bool:
    """Whether positions count from the body's own pelvis, as those of 3D poses do."""
    step = max(1, len(points) // _LOOKED_AT)
    some = points[::step].copy()
    corner = (some[..., :2] == 0).all(axis=-1) & (some[..., 2] > 0)
    some[corner, :2] = 1e-9  # a pelvis at the origin is there
    pixels, confidence = points_to_human36m(some, keypoint_set)
    seen = confidence[:, 0] > 0
    there = present(some)
    if not seen.any():
        return False
    xy = some[there][:, :2]
    extent = np.linalg.norm(np.percentile(xy, 95, axis=0) - np.percentile(xy, 5, axis=0))
    offset = np.median(np.linalg.norm(pixels[seen, 0], axis=-1))
    return bool(offset < 0.03 * extent and (xy < 0).mean() > 0.2)
