"""The 2D keypoints of one person over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Real

KeypointSetName = Literal["human36m17", "coco17", "halpe26", "body25", "mediapipe33"]
KEYPOINT_COUNTS: dict[KeypointSetName, int] = {
    "human36m17": 17,
    "coco17": 17,
    "halpe26": 26,
    "body25": 25,
    "mediapipe33": 33,
}


def present(points: Real[np.ndarray, "*batch 3"]) -> Bool[np.ndarray, "*batch"]:
    """Which points (x, y and score) are there: those with a positive score and finite x and y."""
    return (points[..., 2] > 0) & np.isfinite(points[..., :2]).all(axis=-1)


@dataclass(frozen=True)
class Keypoints:
    """One person's 2D keypoints in every frame of a clip.

    Args:
        points: x and y in pixels (origin top left) and a score in [0, 1] of each keypoint; a score of zero
            or less, or NaN in x or y, marks one that is missing. Frames without the person are there, all
            missing.
        keypoint_set: which keypoints these are, in which order (docs/keypoints.md).
        timestamps: time of each frame in seconds, increasing.
        image_size: width and height of the image in pixels.
        camera_matrix: intrinsics in pixels, if known.
        distortion: k1, k2, p1, p2, k3 of OpenCV, if known.
        track: the person's number in the clip, from 1.

    Whole numbers in the arrays become floating point.

    Raises:
        ValueError: shapes do not fit each other or the keypoint set, or time does not increase.
    """

    points: Real[np.ndarray, "frames joints 3"]
    keypoint_set: KeypointSetName
    timestamps: Real[np.ndarray, " frames"]
    image_size: tuple[int, int]
    camera_matrix: Real[np.ndarray, "3 3"] | None = None
    distortion: Real[np.ndarray, " 5"] | None = None
    track: int = 1

    def __post_init__(self) -> None:
        known = get_args(KeypointSetName)
        if self.keypoint_set not in known:
            raise ValueError(f"no keypoint set {self.keypoint_set!r}; there are {', '.join(known)}")
        count = KEYPOINT_COUNTS[self.keypoint_set]
        if self.points.ndim != 3 or self.points.shape[1:] != (count, 3) or not len(self.points):
            raise ValueError(
                f"keypoints have shape {self.points.shape}, expected [frames, {count}, 3] for "
                f"{self.keypoint_set}: x, y and score of every keypoint"
            )
        if self.timestamps.shape != self.points.shape[:1]:
            raise ValueError(f"{len(self.timestamps)} timestamps for {len(self.points)} frames")
        if fault := fault_of_times(self.timestamps):
            raise ValueError(fault)
        if min(self.image_size) < 1:
            raise ValueError(f"image size must be positive, got {self.image_size}")
        for name in ("points", "timestamps", "camera_matrix", "distortion"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else as_floats(value))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def fps(self) -> float:
        """Mean frames per second; 30 for a single frame."""
        return mean_fps(self.timestamps)

    @property
    def present(self) -> np.ndarray:
        """Which keypoints are there, [frames, joints]."""
        return present(self.points)

    def frames(self, kept: slice) -> Keypoints:
        """Some of the frames."""
        return replace(self, points=self.points[kept], timestamps=self.timestamps[kept])


def as_floats(values: Real[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The same numbers, whole ones in double precision."""
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float64)


def fault_of_times(timestamps: Real[np.ndarray, " frames"]) -> str:
    """What is wrong with the times of frames, or nothing."""
    if not np.isfinite(timestamps).all():
        return "timestamps hold NaN or infinity"
    still = np.flatnonzero(np.diff(timestamps) <= 0)
    return f"timestamps do not increase from frame {still[0]} to frame {still[0] + 1}" if len(still) else ""


def mean_fps(timestamps: Float[np.ndarray, " frames"]) -> float:
    """Mean frames per second of increasing times in seconds; 30 for a single frame."""
    if len(timestamps) == 1:
        return 30.0
    return (len(timestamps) - 1) / float(timestamps[-1] - timestamps[0])
