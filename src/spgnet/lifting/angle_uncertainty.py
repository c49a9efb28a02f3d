"""How far joint angles may be off, by the uncertainty of the joints (docs/joint_angles.md)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from spgnet.geometry.foot import ANKLES, FOOT_JOINTS, SIDES
from spgnet.geometry.joint_angles import joint_angles
from spgnet.geometry.skeleton import HUMAN36M

CALIBRATION = {
    "pelvis_list": 1.35,
    "pelvis_rotation": 1.29,
    "trunk_forward_lean": 1.97,
    "trunk_side_lean": 0.86,
    "trunk_bending": 0.81,
    "trunk_rotation": 0.68,
    "hip_flexion": 1.05,
    "hip_adduction": 0.94,
    "hip_rotation": 0.48,
    "knee_flexion": 0.60,
    "shoulder_flexion": 0.61,
    "shoulder_adduction": 0.49,
    "shoulder_rotation": 0.49,
    "elbow_flexion": 0.51,
    "ankle_flexion": 0.37,
    "foot_progression": 0.96,
}
"""For each angle the factor with which 68 % of the errors are within one deviation.

Fitted by ``benchmarks/angle_uncertainty.py --fit``: errors of neighbouring joints go together, which makes
angles between limbs more certain, and the direction of up is uncertain too, which makes lean less certain.
"""
_FRAMES_AT_ONCE = 2048


def angle_deviations(
    world: Float[np.ndarray, "frames joints 3"], uncertainty: Float[np.ndarray, "frames joints"]
) -> dict[str, Float[np.ndarray, " frames"]]:
    """One standard deviation of each of :func:`spgnet.geometry.joint_angles.joint_angles` in degrees.

    An error of a joint moves an angle by its derivative. Errors count as equal in all directions and
    independent of each other, but for heels and toes, which move with the ankle; the factors of
    ``CALIBRATION`` correct that on average.

    Args:
        world: joints in a world with z up, in metres.
        uncertainty: one standard deviation of each joint's position relative to the pelvis, in metres; the
            pelvis's own does not matter.

    Returns:
        The deviations by the names of the angles, NaN where an angle cannot be seen, or where the uncertainty
        of a joint that moves it is NaN.
    """
    parts = [
        _deviations(world[start : start + _FRAMES_AT_ONCE], uncertainty[start : start + _FRAMES_AT_ONCE])
        for start in range(0, len(world), _FRAMES_AT_ONCE)
    ]
    return {
        name: CALIBRATION[name.removeprefix("left_").removeprefix("right_")]
        * np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }


@torch.inference_mode(False)  # callers may have turned gradients off
@torch.enable_grad()
def _deviations(
    world: Float[np.ndarray, "frames joints 3"], uncertainty: Float[np.ndarray, "frames joints"]
) -> dict[str, Float[np.ndarray, " frames"]]:
    """As :func:`angle_deviations`, without the factors."""
    joints = torch.from_numpy(world.astype(np.float64)).requires_grad_()
    variances = uncertainty.astype(np.float64) ** 2 / 3
    variances[:, 0] = 0
    has_feet = world.shape[1] > len(HUMAN36M)
    feet = [(ANKLES[side], list(FOOT_JOINTS[side])) for side in SIDES if has_feet]
    for ankle, points in feet:
        variances[:, points] = (variances[:, points] - variances[:, [ankle]]).clip(0)
    result = {}
    for name, angle in joint_angles(joints).items():
        seen = torch.isfinite(angle)
        result[name] = np.full(len(world), np.nan)
        if not seen.any():
            continue
        (slopes,) = torch.autograd.grad(angle[seen].sum(), joints, retain_graph=True)
        # At a singular pose the derivative is infinite: the deviation becomes the largest, 180 degrees.
        slopes = torch.nan_to_num(slopes, nan=0.0, posinf=1e9, neginf=-1e9)
        for ankle, points in feet:  # an error of the ankle moves the whole foot
            slopes[:, ankle] += slopes[:, points].sum(dim=1)
        squares = slopes.square().sum(dim=-1).numpy()
        # Joints that do not move the angle are left out, as their uncertainty may be unknown.
        deviation = np.sqrt((squares * np.where(squares > 0, variances, 0)).sum(axis=1))
        result[name] = np.where(seen.numpy(), np.minimum(deviation, 180), np.nan)
    return result
