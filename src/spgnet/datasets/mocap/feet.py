"""Feet of captured people: heel and toes from the ankle, the ball and the toes of a captured skeleton.

Captures know where a foot points and how its toes bend, but neither where its heel is nor, with the few
markers that feet have, how it rolls about its own length. So a rigid foot of
:data:`spgnet.geometry.foot.FOOT`, of the person's size, is put on the ankle: level where the captured foot
rests on the floor, along it everywhere, not rolled on the floor, and in the air square to the plane of shank
and foot. Toes bend about the ball.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from spgnet.datasets.mocap.body import named_joints, stature
from spgnet.datasets.mocap.joint_maps import JointMap
from spgnet.datasets.mocap.skeleton_tracks import SkeletonTracks
from spgnet.errors import InputError
from spgnet.geometry.directions import unit_vectors
from spgnet.geometry.foot import ANKLES, BALL, FOOT, FOOT_JOINTS, POINT_HEIGHT, SIDES, foot_points
from spgnet.geometry.skeleton import FOOT_POINTS, HUMAN36M

_STILL, _LOW = 0.3, 0.02
"""Speed of the ball in metres per second below which, and height of ankle and ball in metres over their
lowest up to which, a foot rests flat on the floor."""
_USUAL_SLOPE = -0.3
"""Slope in radians from the ankle to the ball of a foot on the floor, where a clip does not show it."""
_FLOOR_REACH = 0.08
"""Height in metres at which a foot's roll is between that on the floor and that in the air."""
_FLEXIBLE = np.radians(60)
"""How far toes bend up at most."""
_UP = np.array([0.0, 0.0, 1.0])

Track = Float[np.ndarray, "frames 3"]


def captured_feet(
    tracks: SkeletonTracks, joint_map: JointMap, joints: Float[np.ndarray, "frames 17 3"]
) -> Float[np.ndarray, "frames 6 3"]:
    """Heel and toes of both feet, in the order of :data:`spgnet.geometry.skeleton.FEET23`, in metres, z up.

    Args:
        tracks: in metres, z up.
        joint_map: in the names of the points.
        joints: the 17 joints of the same frames.

    Raises:
        InputError: the skeleton has no feet.
    """
    if set(joint_map.feet) != {*SIDES}:
        raise InputError(f"no feet are known of this skeleton ({joint_map.name})")
    size = stature(named_joints(tracks, joint_map)) / 1.75
    feet = [
        _foot(
            tracks,
            joint_map.feet[side],
            joints[:, ANKLES[side]],
            joints[:, HUMAN36M.names.index(f"{side}_knee")],
            size * points.numpy(),
        )
        for side, points in zip(SIDES, foot_points(), strict=True)
    ]
    return np.concatenate(feet, axis=1)


def _foot(
    tracks: SkeletonTracks,
    names: tuple[str, ...],
    ankle: Track,
    knee: Track,
    points: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "frames 3 3"]:
    ball = tracks.position(names[0])
    along = unit_vectors(ball - ankle)
    resting = _resting(ankle, ball, tracks.fps)
    slope = np.arcsin(along[:, 2].clip(-1, 1))
    level = float(np.median(slope[resting])) if resting.any() else _USUAL_SLOPE
    low = float(np.median(ball[resting, 2])) if resting.any() else float(np.percentile(ball[:, 2], 5))
    on_floor = np.exp(-(((ball[:, 2] - low).clip(0) / _FLOOR_REACH) ** 2))[:, None]
    across, knee_hinge = np.cross(along, _UP), np.cross(along, knee - ankle)
    right = on_floor * unit_vectors(across) + (1 - on_floor) * unit_vectors(knee_hinge)
    right = unit_vectors(right - (right * along).sum(axis=-1, keepdims=True) * along)
    forward = np.cos(level) * along - np.sin(level) * np.cross(right, along)
    axes = np.stack((forward, np.cross(right, forward), right), axis=-1)
    hinge = np.array(BALL) * (points[0, 1] / FOOT["heel"][1])
    if len(names) == 1:  # toes stay level while the foot rises over them
        bend = on_floor[:, 0] * np.arcsin(-forward[:, 2].clip(-1, 0))
    else:
        toes = np.einsum("fij,fi->fj", axes, unit_vectors(tracks.position(names[1]) - ball))
        bend = np.arctan2(toes[:, 1], toes[:, 0])
        bend = (bend - (np.median(bend[resting]) if resting.any() else 0.0)).clip(0, _FLEXIBLE)
    local = np.broadcast_to(points, (len(ankle), 3, 3)).copy()
    cos, sin = np.cos(bend)[:, None], np.sin(bend)[:, None]
    x, y = points[1:, 0] - hinge[0], points[1:, 1] - hinge[1]
    local[:, 1:, 0] = hinge[0] + cos * x - sin * y
    local[:, 1:, 1] = hinge[1] + sin * x + cos * y
    return ankle[:, None] + np.einsum("fij,fpj->fpi", axes, local)


def _resting(ankle: Track, ball: Track, fps: float) -> Bool[np.ndarray, " frames"]:
    """Frames in which a foot rests flat on the floor: its ball is still, and ankle and ball are low."""
    if len(ankle) < 3:
        return np.zeros(len(ankle), dtype=bool)
    low = [path[:, 2] < np.percentile(path[:, 2], 10) + _LOW for path in (ankle, ball)]
    return low[0] & low[1] & (_speed(ball, fps) < _STILL)


def _speed(path: Track, fps: float) -> Float[np.ndarray, " frames"]:
    return np.linalg.norm(np.gradient(path, 1 / fps, axis=0), axis=-1)


def stand_on_soles(joints: Float[np.ndarray, "frames 23 3"], fps: float) -> Float[np.ndarray, "frames 23 3"]:
    """The clip moved up or down so that the soles of resting feet are on the floor, z = 0, in the median."""
    heights = []
    for side in SIDES:
        heel, toe = (joints[:, FOOT_JOINTS[side][FOOT_POINTS.index(point)]] for point in ("heel", "big_toe"))
        resting = _resting(joints[:, ANKLES[side]], toe, fps)
        heights += [heel[resting, 2], toe[resting, 2]]
    standing = np.concatenate(heights)
    low = np.median(standing) if len(standing) else np.percentile(joints[:, len(HUMAN36M) :, 2], 2)
    return joints - np.array([0.0, 0.0, low - POINT_HEIGHT])
