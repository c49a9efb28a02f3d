"""Captured motion in the world: metres, z up, on the floor."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

from spgnet.data.mocap.body import named_joints, stature
from spgnet.data.mocap.joint_maps import JointMap
from spgnet.data.mocap.points import Points
from spgnet.skeleton import HUMAN36M

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "CMU's unit": 0.0254 / 0.45}
"""Units of length that files are in, in metres."""
SHORTEST, TALLEST = 1.2, 2.2
"""People, in metres."""
ANKLE = 0.08
"""Height of the lower ankle above the floor, in metres."""
_FAR = 0.3
_CLEAR = 0.85

Up = Literal["y", "z"]


def in_world(
    points: Points, joint_map: JointMap, *, unit: float | None = None, up: Up | None = None
) -> Points:
    """The points in metres with z up.

    Without a unit it is the one of ``UNITS`` in which the lengths of legs and trunk are those of a person of
    1.2 to 2.2 m; they are so far apart that only one can fit. Without an axis, up is where the head is above
    the ankles on average over the clip and in the rest pose.

    Args:
        points: as read.
        joint_map: in the names of the points.
        unit: metres per unit of length in the file.
        up: the axis that points up in the file.

    Raises:
        ValueError: no unit fits, or it is not clear what is up.
    """
    if (up or _up(points, joint_map)) == "y":
        points = points.y_up_to_z_up()
    return points.scaled(unit or _unit(points, joint_map))


def on_floor(joints: Float[np.ndarray, "frames 17 3"]) -> Float[np.ndarray, "frames 17 3"]:
    """Joints on the floor.

    Files keep their own height as long as it is plausible. Only if the 5th percentile of the height of the
    lower ankle is more than 0.3 m off 0.08 m is the clip shifted so that it is 0.08 m. Somebody who swings
    from a bar all the time would be put on the floor by this.
    """
    ankles = [HUMAN36M.names.index(f"{side}_ankle") for side in ("left", "right")]
    height = np.percentile(joints[:, ankles, 2].min(axis=1), 5)
    if abs(height - ANKLE) <= _FAR:
        return joints
    return joints - np.array([0.0, 0.0, height - ANKLE])


def _unit(points: Points, joint_map: JointMap) -> float:
    tall = stature(named_joints(points, joint_map))
    fitting = [size for size in UNITS.values() if SHORTEST <= tall * size <= TALLEST]
    if len(fitting) != 1:
        raise ValueError(
            f"the unit of length is not clear: the person is about {tall:.4g} units tall, no person in "
            f'{", ".join(UNITS)}; give "unit" in joints.json, in metres'
        )
    return fitting[0]


def _up(points: Points, joint_map: JointMap) -> Up:
    moving = _axis(points, joint_map)
    resting = _axis(points.at_rest(), joint_map)
    up = moving or resting
    if up is None or resting not in (up, None):
        fault = "the rest pose and the motion do not agree" if up else "nobody stands upright"
        raise ValueError(
            f'it is not clear which axis points up, since {fault}; give "up" as "y" or "z" in joints.json'
        )
    return up


def _axis(points: Points, joint_map: JointMap) -> Up | None:
    """The axis along which the thorax is above the ankles, or None if it is not clear."""
    joints = {name: _place(points, joint_map, name) for name in ("thorax", "left_ankle", "right_ankle")}
    rise = joints["thorax"] - (joints["left_ankle"] + joints["right_ankle"]) / 2
    mean = (rise / np.linalg.norm(rise, axis=-1, keepdims=True).clip(1e-12)).mean(axis=0)
    return "y" if mean[1] > _CLEAR else "z" if mean[2] > _CLEAR else None


def _place(points: Points, joint_map: JointMap, joint: str) -> Float[np.ndarray, "frames 3"]:
    return sum((weight * points.at(p) for p, weight in joint_map.joints[joint].items()), np.zeros(3))
