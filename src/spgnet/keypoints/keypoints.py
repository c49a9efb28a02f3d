"""One person's 2D keypoints, the detectors' keypoint sets, and their conversion to Human3.6M's joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Real

from spgnet.errors import InputError
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.image_rotation import ImageRotation, rotated_camera, rotated_pixels, rotated_size
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.limits import FASTEST, SLOWEST

KeypointSetName = Literal[
    "human36m17",
    "coco17",
    "coco18",
    "panoptic19",
    "body25",
    "body25b",
    "halpe26",
    "mediapipe33",
    "wholebody133",
]


def present(points: Real[np.ndarray, "*batch 3"]) -> Bool[np.ndarray, "*batch"]:
    """Which points (x, y, score) are present: those with a positive score, and finite x and y.

    The corner of the image, x = y = 0, is where detectors put what they have not found, whatever its score.
    """
    positions = points[..., :2]
    return (points[..., 2] > 0) & np.isfinite(positions).all(axis=-1) & (positions != 0).any(axis=-1)


@dataclass(frozen=True, eq=False)  # equality of arrays is no truth value
class Keypoints:
    """One person's 2D keypoints in every frame of a clip.

    Args:
        points: x and y in pixels (origin top left) and a score in [0, 1] of each keypoint; a score of zero
            or less, NaN in x or y, or x = y = 0 marks a missing one. In frames without the person all are
            missing.
        keypoint_set: names the keypoints and their order (docs/keypoints.md).
        timestamps: time of each frame in seconds, increasing.
        image_size: width and height of the image in pixels.
        camera_matrix: intrinsics in pixels, if known.
        distortion: k1, k2, p1, p2, k3 of OpenCV and perhaps k4, k5, k6, if known; of a fisheye k1 to k4.
        fisheye: whether `distortion` is that of ``cv2.fisheye``.
        track: the person's number in the clip, from 1.
        joined_tracks: other numbers that the detector's tracker gave to the same person.
        remarks: what the reader of a file had to assume, and what in the file it did not understand; one
            line each.
        skipped: the frames at which the detector did not look, since those around them show the motion well
            enough; all keypoints are missing there, and lifting interpolates them. None: no frame.

    Integer arrays are converted to floating point.

    Raises:
        InputError: shapes do not fit each other or the keypoint set, or time does not increase.

    Example:
        >>> import numpy as np
        >>> from spgnet.keypoints import Keypoints
        >>> points = np.ones((30, 17, 3))  # x, y and score
        >>> person = Keypoints(points, "coco17", timestamps=np.arange(30) / 30, image_size=(1280, 720))
        >>> len(person), round(person.fps), person.image_size
        (30, 30, (1280, 720))
    """

    points: Real[np.ndarray, "frames joints 3"]
    keypoint_set: KeypointSetName
    timestamps: Real[np.ndarray, " frames"]
    image_size: tuple[int, int]
    camera_matrix: Real[np.ndarray, "3 3"] | None = None
    distortion: Real[np.ndarray, " coefficients"] | None = None
    track: int = 1
    joined_tracks: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    fisheye: bool = False
    skipped: Bool[np.ndarray, " frames"] | None = None

    def __post_init__(self) -> None:
        known = get_args(KeypointSetName)
        if self.keypoint_set not in known:
            raise InputError(f"no keypoint set {self.keypoint_set!r}; there are {', '.join(known)}")
        count = KEYPOINT_COUNTS[self.keypoint_set]
        if self.points.ndim != 3 or self.points.shape[1:] != (count, 3) or not len(self.points):
            raise InputError(
                f"keypoints have shape {self.points.shape}, expected [frames, {count}, 3] for "
                f"{self.keypoint_set}: x, y and score of every keypoint"
            )
        if self.timestamps.shape != self.points.shape[:1]:
            raise InputError(f"{len(self.timestamps)} timestamps for {len(self.points)} frames")
        if error := timestamps_error(self.timestamps):
            raise InputError(error)
        if self.skipped is not None and self.skipped.shape != self.points.shape[:1]:
            raise InputError(f"skipped tells of {len(self.skipped)} frames, there are {len(self.points)}")
        if min(self.image_size) < 1:
            raise InputError(f"image size must be positive, got {self.image_size}")
        for name in ("points", "timestamps", "camera_matrix", "distortion"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else as_floats(value))

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        width, height = self.image_size
        return (
            f"Keypoints(track={self.track}, {self.keypoint_set}, {len(self)} frames at {self.fps:.4g} fps, "
            f"{width} x {height} pixels)"
        )

    @property
    def fps(self) -> float:
        """Mean frames per second; 30 for a single frame."""
        return mean_fps(self.timestamps)

    @property
    def present(self) -> np.ndarray:
        """Which keypoints are present, [frames, joints]."""
        return present(self.points)

    def frames(self, kept: slice) -> Keypoints:
        """The keypoints of a slice of the frames."""
        skipped = None if self.skipped is None else self.skipped[kept]
        return replace(self, points=self.points[kept], timestamps=self.timestamps[kept], skipped=skipped)

    def rotated(self, degrees: ImageRotation) -> Keypoints:
        """The keypoints, and the intrinsics if they are known, of the images turned clockwise."""
        # The corner x = y = 0 of a missing keypoint would become another corner, where one can be.
        found = np.where(self.present[..., None], self.points[..., :2], np.nan)
        turned = rotated_pixels(found.astype(self.points.dtype), self.image_size, degrees)
        changed = replace(
            self,
            points=np.concatenate((turned, self.points[..., 2:]), axis=-1),
            image_size=rotated_size(self.image_size, degrees),
        )
        if self.camera_matrix is None:
            return changed
        camera = opencv_camera(self.camera_matrix, self.distortion, self.image_size, fisheye=self.fisheye)
        camera = rotated_camera(camera, degrees)
        return replace(
            changed,
            camera_matrix=camera.intrinsics_matrix().numpy(),
            distortion=camera.distortion_coefficients().numpy(),
        )


def as_floats(values: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The array in floating point; integers become double precision."""
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def timestamps_error(timestamps: Real[np.ndarray, " frames"]) -> str:
    """Why frame times in seconds are invalid, as a message; empty if they are finite and increase, at a mean
    rate that a clip can have (:mod:`spgnet.limits`)."""
    if not np.isfinite(timestamps).all():
        return "timestamps hold NaN or infinity"
    still = np.flatnonzero(timestamps[1:] <= timestamps[:-1])
    if len(still):
        return f"timestamps do not increase from frame {still[0]} to frame {still[0] + 1}"
    if len(timestamps) > 1 and not SLOWEST <= (rate := mean_fps(timestamps)) <= FASTEST:
        return (
            f"timestamps in seconds have {rate:.3g} frames per second on average, expected {SLOWEST:g} to "
            f"{FASTEST:g}"
        )
    return ""


def mean_fps(timestamps: Real[np.ndarray, " frames"]) -> float:
    """Mean frames per second of increasing times in seconds; 30 for a single frame."""
    if len(timestamps) == 1:
        return 30.0
    return (len(timestamps) - 1) / (float(timestamps[-1]) - float(timestamps[0]))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_COCO = _words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)

_FEET = _words("left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel")

KEYPOINT_NAMES: dict[KeypointSetName, tuple[str, ...]] = {
    "human36m17": HUMAN36M.names,
    "coco17": _COCO,
    "halpe26": _COCO
    + _words("head neck hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"),
    "coco18": _words(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
        "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    ),
    "panoptic19": _words(
        "neck nose mid_hip left_shoulder left_elbow left_wrist left_hip left_knee left_ankle right_shoulder "
        "right_elbow right_wrist right_hip right_knee right_ankle left_eye left_ear right_eye right_ear"
    ),
    "body25": _words(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
        "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
        "left_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
    ),
    "body25b": _COCO + _words("upper_neck head_top") + _FEET,
    "mediapipe33": _words(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
        "right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
        "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
    ),
    "wholebody133": (
        *_COCO,
        *_FEET,
        *(f"face_{index}" for index in range(68)),
        *(f"{side}_hand_{index}" for side in ("left", "right") for index in range(21)),
    ),
}
"""Keypoint names of every set, in the order of the detector's output."""
KEYPOINT_COUNTS: dict[KeypointSetName, int] = {name: len(names) for name, names in KEYPOINT_NAMES.items()}
"""Number of keypoints of every set."""

_HIPS = ("left_hip", "right_hip")
_SHOULDERS = ("left_shoulder", "right_shoulder")
_LIMBS = {
    f"{side}_{part}": (f"{side}_{part}",)
    for side in ("left", "right")
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
}


def _sources(pelvis: tuple[str, ...], thorax: tuple[str, ...], head: tuple[str, ...]) -> dict:
    """The sources of every joint for a detector without a spine keypoint.

    The spine is the midpoint of pelvis and thorax; a mean over the sources of both is that only if these are
    equally many.
    """
    assert len(pelvis) == len(thorax)
    middle = {"pelvis": pelvis, "spine": pelvis + thorax, "thorax": thorax}
    table = {**_LIMBS, **middle, "nose": ("nose",), "head_top": head}
    return {name: table[name] for name in HUMAN36M.names}


SOURCES: dict[KeypointSetName, dict[str, tuple[str, ...]]] = {
    "human36m17": {name: (name,) for name in HUMAN36M.names},
    "coco17": _sources(_HIPS, _SHOULDERS, ()),
    "coco18": _sources(_HIPS, _SHOULDERS, ()),
    "panoptic19": _sources(("mid_hip",), ("neck",), ()),
    "body25": _sources(("mid_hip",), ("neck",), ()),
    "body25b": _sources(_HIPS, _SHOULDERS, ("head_top",)),
    "halpe26": _sources(_HIPS, _SHOULDERS, ()),
    "mediapipe33": _sources(_HIPS, _SHOULDERS, ()),
    "wholebody133": _sources(_HIPS, _SHOULDERS, ()),
}
"""For every set, the keypoints whose mean is each joint of Human3.6M; empty if the set has no such keypoint.

Except in human36m17, ``spine`` is derived: the midpoint of pelvis and thorax, without information of its own.
Neck and head of Halpe-26 are not used: they are higher than thorax and head_top in most motion capture
(docs/keypoints.md).
"""


_TOES = ("heel", "big_toe", "small_toe")
FOOT_SOURCES: dict[KeypointSetName, tuple[str, ...]] = {
    "halpe26": _TOES,
    "body25": _TOES,
    "body25b": _TOES,
    "wholebody133": _TOES,
    "mediapipe33": ("heel", "foot_index"),
}
"""For every set that sees feet, the keypoints of a foot, without their side. ``foot_index`` is between the
big and the small toe (:data:`spgnet.geometry.foot.FOOT_INDEX`)."""


def foot_keypoints(keypoint_set: KeypointSetName) -> tuple[int, ...]:
    """Indices of the keypoints of the right foot, in the order of :data:`FOOT_SOURCES`, and then of the left
    foot; empty if the set sees no feet."""
    names = KEYPOINT_NAMES[keypoint_set]
    points = FOOT_SOURCES.get(keypoint_set, ())
    return tuple(names.index(f"{side}_{point}") for side in ("right", "left") for point in points)


def midpoint_joints(keypoint_set: KeypointSetName) -> dict[int, list[int]]:
    """The joints that are means of several keypoints, and the joints that these keypoints are themselves."""
    sources = SOURCES[keypoint_set]
    single = {of[0]: joint for joint, of in enumerate(sources.values()) if len(of) == 1}
    return {
        joint: [single[source] for source in of] for joint, of in enumerate(sources.values()) if len(of) > 1
    }


@cache
def _weights(keypoint_set: KeypointSetName) -> np.ndarray:
    """Weight of each keypoint in each joint, [17, keypoints]; rows sum to 1, or 0 without sources."""
    names = KEYPOINT_NAMES[keypoint_set]
    weights = np.zeros((len(HUMAN36M), len(names)))
    for joint, sources in enumerate(SOURCES[keypoint_set].values()):
        for source in sources:
            weights[joint, names.index(source)] = 1 / len(sources)
    return weights


def points_to_human36m(
    points: Real[np.ndarray, "*frames joints 3"], keypoint_set: KeypointSetName
) -> tuple[Float[np.ndarray, "*frames 17 2"], Float[np.ndarray, "*frames 17"]]:
    """:func:`to_human36m` for an array of x and y in pixels and score, of one frame or of many."""
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
    """The 17 joints of Human3.6M, in the order of :data:`spgnet.geometry.skeleton.HUMAN36M`.

    A joint is the mean of its sources (:data:`SOURCES`), with their lowest confidence. It is missing where
    one of them is missing, and in every frame if it has no sources.

    Returns:
        The joints in pixels, NaN where missing, and their confidence in [0, 1], 0 where missing.
    """
    return points_to_human36m(keypoints.points, keypoints.keypoint_set)
