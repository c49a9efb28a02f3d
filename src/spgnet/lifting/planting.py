"""Standing feet are held in place, as animators do it: legs follow, all else stays.

Each foot gets a displacement along the floor, small and smooth in time, that keeps its points on the floor
still. The ankle moves with the foot, and the knee so that thigh and shank keep their lengths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded

from spgnet.geometry.directions import unit_vectors
from spgnet.geometry.foot import FOOT_JOINTS, SIDES
from spgnet.geometry.gait import FASTEST_LIFTED, foot_contacts, point_contacts
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

STILL = 0.04
"""Standard deviation of the speed of points on the floor, in metres per second. This and those below were
chosen on simulated video (docs/refinement.md#feet)."""
DISPLACEMENT, ACCELERATION = 0.01, 3.0
"""Standard deviations of the displacement in metres, and of its acceleration in metres per square second."""
_STEP = 0.04
"""Seconds that make one independent value of the displacement, whatever the frame rate."""


def plant_feet(motion: Motion) -> Motion:
    """The motion with feet that keep still while they are on the floor. Bones keep their lengths.

    >>> planted = plant_feet(load_motion("motion.npz"))

    Args:
        motion: with feet, in a world whose floor is known; any other is returned as it is, and so is one
            whose feet are never on the floor.
    """
    if not motion.has_feet or motion.camera.extrinsics == "arbitrary" or len(motion) < 3:
        return motion
    world, times = motion.world.astype(np.float64), motion.timestamps
    joints = motion.joints.astype(np.float64)
    for side in SIDES:
        points = world[:, list(FOOT_JOINTS[side])]
        contacts = point_contacts(points, points[..., 2], times, fastest=FASTEST_LIFTED)
        if contacts.any():
            moved = torch.from_numpy(_displacement(points, contacts, times))
            _move_foot(joints, side, (moved @ motion.camera.rotation.double().T).numpy())
    planted = replace(motion, joints=joints.astype(np.float32))
    contacts = foot_contacts(planted.world.astype(np.float64), times, fastest=FASTEST_LIFTED)
    return replace(planted, foot_contact=contacts)


def _displacement(
    points: Float[np.ndarray, "frames n 3"],
    contacts: Bool[np.ndarray, "frames n"],
    times: Float[np.ndarray, " frames"],
) -> Float[np.ndarray, "frames 3"]:
    """Displacement of a foot along the floor in metres, by least squares with a matrix of five diagonals.

    Args:
        points: of the foot, in a world with z up, in metres.
        contacts: which points are on the floor.
        times: in seconds.
    """
    steps, frames = np.diff(times), len(points)
    both = contacts[1:] & contacts[:-1]
    ways = np.where(both[..., None], np.diff(points[..., :2], axis=0), 0).sum(axis=1)
    weights = 1 / (_STEP * steps * STILL**2)
    hold = weights * both.sum(axis=1)
    matrix, right = np.zeros((3, frames)), np.zeros((frames, 2))
    matrix[0] = np.median(steps) / _STEP / DISPLACEMENT**2
    matrix[0, :-1] += hold
    matrix[0, 1:] += hold
    matrix[1, :-1] -= hold
    right[:-1] += weights[:, None] * ways
    right[1:] -= weights[:, None] * ways
    stencil, step = (1.0, -2.0, 1.0), float(np.median(steps))
    for i, one in enumerate(stencil):
        for j, other in enumerate(stencil[i:]):
            matrix[j, i : frames - 2 + i] += one * other / (_STEP * step**3 * ACCELERATION**2)
    level = solveh_banded(matrix, right, lower=True)
    return np.concatenate((level, np.zeros((frames, 1))), axis=1)


def _move_foot(
    joints: Float[np.ndarray, "frames 23 3"], side: str, moved: Float[np.ndarray, "frames 3"]
) -> None:
    """Move an ankle with its foot, and the knee in the plane of the leg; less where the leg is too short.

    Args:
        joints: in the camera frame, in metres; changed in place.
        side: of the foot.
        moved: displacement of the ankle, likewise.
    """
    hip, knee, ankle = (HUMAN36M.names.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    out, shin = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
    thigh, shank = (np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (out, shin))
    leg = joints[:, ankle] + moved - joints[:, hip]
    along = unit_vectors(leg)
    reach = np.linalg.norm(leg, axis=-1, keepdims=True).clip(abs(thigh - shank), thigh + shank)
    aside = unit_vectors(out - (out * along).sum(axis=-1, keepdims=True) * along)
    near = (thigh**2 - shank**2 + reach**2) / (2 * reach)
    far = np.sqrt((thigh**2 - near**2).clip(0))
    joints[:, knee] = joints[:, hip] + near * along + far * aside
    foot = joints[:, hip] + reach * along - joints[:, ankle]
    joints[:, [ankle, *FOOT_JOINTS[side]]] += foot[:, None]
