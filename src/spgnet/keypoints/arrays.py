"""Plain arrays of keypoints: ``.npy``, nested JSON lists, and the arrays of other programs' ``.npz``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from spgnet.errors import InputError
from spgnet.keypoints.keypoint_names import match_names
from spgnet.keypoints.keypoints import KEYPOINT_COUNTS, KeypointSetName, present
from spgnet.keypoints.points import points_of
from spgnet.keypoints.raw import RawKeypoints, looks_normalised, raw_from_frames
from spgnet.keypoints.set_choice import SET_BY_COUNT
from spgnet.keypoints.tracks import Person, Track
from spgnet.keypoints.values import number_array

_MEDIAPIPE = (33, 543, 553)
"""Numbers of keypoints with MediaPipe's body at their beginning, which it gives with a depth."""
_EXPECTED = (
    "expected [frames, keypoints, 3] or [frames, people, keypoints, 3]: x, y and score of each keypoint"
)
_NOSE, _ANKLES = 0, slice(15, 17)


def parse_array(values: object, name: str) -> RawKeypoints:
    """Parse an array of x, y and score: of one person [frames, keypoints, 3], of several [frames, people,
    keypoints, 3], of MoveNet [frames, 1, 1, 17, 3] (y, x, score, as shares of the image), or FreeMoCap's
    [cameras, frames, keypoints, 3] of one camera.

    The score may be left out. Of four numbers (MediaPipe's) the third is a depth.

    Args:
        values: an array or nested lists.
        name: of the file; FreeMoCap tells its 3D arrays by it.

    Raises:
        InputError: it has another shape, or holds 3D positions.
    """
    if "_3d" in name.lower() or "xyz" in name.lower():
        raise InputError("3D positions by its name, expected 2D keypoints in the image")
    dims = nesting(values)
    if dims == 2:
        return _of_people(_unflattened(number_array(values, "the array", ("frames", "numbers")))[:, None])
    if not 3 <= dims <= 5:
        raise InputError(f"numbers nested {dims} deep, {_EXPECTED}")
    array = number_array(values, "the array", tuple(f"dimension {index}" for index in range(dims)))
    if array.ndim == 3 and array.shape[1:] == (6, 56):
        people = array[..., :51].reshape(len(array), 6, 17, 3)
        people = np.where(array[..., None, 55:] > 0.1, people, 0)
        return _of_people(people[..., [1, 0, 2]]).remark("read as MoveNet's MultiPose: y, x and score")
    if array.ndim == 5 and array.shape[1:] == (1, 1, 17, 3):
        return _of_people(array[:, 0][..., [1, 0, 2]]).remark("read as MoveNet's: y, x and score")
    if array.ndim == 4 and array.shape[1] > array.shape[0] and array.shape[0] <= 64 and array.shape[2] > 9:
        if len(array) > 1 and (array.shape[1] > 64 or array.shape[2] in _MEDIAPIPE):
            raise InputError(
                f"{len(array)} cameras by its shape {list(array.shape)}, expected one: save it alone, as in "
                "numpy.save('camera0.npy', array[0])"
            )
        if len(array) == 1:
            array = array[0]
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[-1] not in (2, 3, 4) or 0 in array.shape:
        raise InputError(f"an array of shape {list(np.shape(array))}, {_EXPECTED}")
    points, remark = _with_scores(array)
    return _of_people(points).remark(remark)


def positions_and_scores(arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """The array of an archive that can be positions, with the scores of another one that has a number for
    each of them; None if there is none or several."""
    wide = {name: array for name, array in arrays.items() if array.ndim >= 2 and array.dtype.kind in "fiu"}
    found = [name for name, array in wide.items() if array.ndim >= 3 and array.shape[-1] in (2, 3, 4)]
    found = found or list(wide)
    if len(found) != 1:
        return None
    positions = wide.pop(found[0])
    scores = [array for array in wide.values() if array.shape == positions.shape[:-1]]
    if len(scores) == 1 and positions.shape[-1] == 2:
        return np.concatenate((positions, scores[0][..., None]), axis=-1)
    return positions


def _unflattened(rows: np.ndarray) -> np.ndarray:
    """Points [frames, keypoints, 3] from rows of x, y, score, x, y, score, ... or of x, y, x, y, ..."""
    if rows.shape[1] in [4 * count for count in _MEDIAPIPE]:
        return rows.reshape(len(rows), -1, 4)[..., [0, 1, 3]]
    if not len(rows):
        raise InputError(f"an array of shape {list(rows.shape)}, {_EXPECTED}")
    points = np.stack([points_of(row, f"row {index}") for index, row in enumerate(rows.tolist())])
    if points.shape[1] not in {*SET_BY_COUNT, *KEYPOINT_COUNTS.values()}:
        raise InputError(f"rows of {rows.shape[1]} numbers, {_EXPECTED}")
    return points


def nesting(values: object) -> int:
    """Dimensions of an array, or levels of nested lists by their first entries."""
    if isinstance(values, np.ndarray):
        return values.ndim
    depth = 0
    while isinstance(values, list) and depth < 8:
        values = values[0] if values else None
        depth += 1
    return depth


def _of_people(points: np.ndarray) -> RawKeypoints:
    """Raw keypoints of points [frames, people, keypoints, 3]."""
    raw = raw_from_frames({frame: [Person(one) for one in people] for frame, people in enumerate(points)})
    some = next(iter(raw.tracks.values())).points
    if some.shape[1] == 17 and looks_normalised(some) and _lies(some) and not _lies(some[..., [1, 0, 2]]):
        swapped = {
            number: Track(track.frames, track.points[..., [1, 0, 2]], track.joined)
            for number, track in raw.tracks.items()
        }
        raw = RawKeypoints(swapped, raw.frames, first=raw.first, normalised=None, remarks=raw.remarks)
        return raw.remark("the person would lie: read as MoveNet's y, x and score")
    return raw


def _lies(points: np.ndarray) -> bool:
    """Whether somebody of COCO's keypoints is wider than tall, from nose to ankles."""
    seen = present(points[:, _NOSE]) & present(points[:, _ANKLES]).all(axis=1)
    if not seen.any():
        return False
    along = np.abs(points[seen, _NOSE, :2] - points[seen, _ANKLES, :2].mean(axis=1))
    return bool(np.median(along[:, 0]) > 1.5 * np.median(along[:, 1]))


def _with_scores(array: np.ndarray) -> tuple[np.ndarray, str]:
    """Points with x, y and score, from those with two to four numbers, and a remark."""
    ones = np.ones((*array.shape[:-1], 1))
    if array.shape[-1] == 2:
        return np.concatenate(
            (array, ones), axis=-1
        ), "there are no scores: every keypoint with a position counts as sure"
    if array.shape[-1] == 4:
        return array[..., [0, 1, 3]], "read as x, y, depth and score"
    third = array[..., 2]
    if array.shape[-2] in _MEDIAPIPE and (third[np.isfinite(third)] < -0.01).mean() > 0.05:
        return np.concatenate(
            (array[..., :2], ones), axis=-1
        ), "the third number is a depth; there are no scores"
    return array, ""


def parse_reconstruction(values: np.ndarray) -> RawKeypoints:
    """Parse the ``input_2D/keypoints.npz`` of MHFormer's and MotionAGFormer's demos: the joints of Human3.6M,
    [1, frames, 17, 2 or 3].

    Raises:
        InputError: it has another shape.
    """
    array = np.asarray(values)
    if array.ndim != 4 or len(array) != 1:
        raise InputError(f"'reconstruction' has shape {list(array.shape)}, expected [1, frames, 17, 2 or 3]")
    points, remark = _with_scores(
        number_array(array[0], "reconstruction", ("frames", 17, "x, y, score"))[:, None]
    )
    raw = _of_people(points)
    return RawKeypoints(
        raw.tracks,
        raw.frames,
        keypoint_set="human36m17",
        first=raw.first,
        normalised=None,
        remarks=raw.remarks,
    ).remark(remark)


def named_people(
    position: Float[np.ndarray, "frames keypoints individuals 2"],
    confidence: Float[np.ndarray, "frames keypoints individuals"] | None,
    names: list[str] | None,
    keypoint_set: KeypointSetName | None,
) -> RawKeypoints:
    """Raw keypoints from positions of several individuals, with named body parts or those of a keypoint set.

    Raises:
        InputError: the names make no keypoint set, or nobody is there.
    """
    scores = np.ones(position.shape[:3]) if confidence is None else confidence
    points = np.concatenate((position, scores[..., None]), axis=-1)
    remarks: tuple[str, ...] = ()
    named: str | None = None
    if names is not None and _tell(names):
        matched = match_names(names, keypoint_set)
        named, remarks = matched.keypoint_set, matched.remarks()
        people = np.stack([matched.reorder(points[:, :, one]) for one in range(points.shape[2])], axis=1)
    else:
        people = points.transpose(0, 2, 1, 3)
    tracks = {}
    for number in range(people.shape[1]):
        seen = np.flatnonzero(present(people[:, number]).any(axis=-1))
        if len(seen):
            tracks[number + 1] = Track(seen, people[seen, number])
    if not tracks:
        raise InputError("it holds no person: no keypoint in any frame has a position and a positive score")
    return RawKeypoints(tracks, len(people), keypoint_set=named, normalised=None, remarks=remarks)


def _tell(names: list[str]) -> bool:
    """Whether names are of body parts, and not only numbered."""
    numbered = all(
        name.strip(" _-0123456789").lower() in ("", "kpt", "keypoint", "kp", "node") for name in names
    )
    return not (numbered and len(names) in {*SET_BY_COUNT, *KEYPOINT_COUNTS.values()})
