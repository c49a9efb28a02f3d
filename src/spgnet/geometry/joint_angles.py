"""Joint angles of lifted motion, as clinicians and OpenSim name them (docs/joint_angles.md).

Segments have the axes of the International Society of Biomechanics (ISB): x forward, y up, z to the right.

- **Pelvis:** z from the left to the right hip; y towards the thorax, square to z. So its tilt is the trunk's:
  the 17 joints have no other point of the pelvis, and the spine joint is interpolated.
- **Trunk:** y from the pelvis to the thorax; z from the left to the right shoulder, square to y.

Hip and shoulder angles turn the thigh about the pelvis's, and the upper arm about the trunk's axes: first
about z (flexion), then about the turned x (adduction), then about the limb itself (rotation). This is the
joint coordinate system of Wu et al., "ISB recommendation on definitions of joint coordinate system",
J. Biomech. 35 (2002), for the hip, and the sequence of ``hip_flexion_r``, ``arm_flex_r`` and so on in
OpenSim's model Rajagopal2016, with their signs and zeros. (Part II, J. Biomech. 38 (2005), has plane of
elevation, elevation and rotation for the shoulder instead, of which two are undefined while the arm hangs.)
Knee flexion is that of Grood and Suntay, J. Biomech. Eng. 105 (1983), whose other two angles of the knee
cannot be seen in joint centres.

Ankles and feet have angles if heels and toes are among the joints. With x_foot along the foot, parallel to
its sole, ankle flexion is the angle of x_foot from the plane square to the shank: it needs no axis of the
ankle. Inversion cannot be seen: a foot is 6 cm broad there, of which a detector's error of 1 cm makes 10
degrees.

Pelvis and trunk turn about the vertical, then about the x axis, then about the z axis (Baker, Gait
& Posture 13 (2001)): so list and lean do not depend on the direction in which the person faces.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.geometry.directions import unit_vectors_or_nan
from spgnet.geometry.foot import foot_axes
from spgnet.geometry.skeleton import FOOT_POINTS, HUMAN36M, skeleton_of

ANGLE_NAMES: tuple[str, ...] = (
    "pelvis_list",
    "pelvis_rotation",
    "trunk_forward_lean",
    "trunk_side_lean",
    "trunk_bending",
    "trunk_rotation",
    *(
        f"{side}_{angle}"
        for angle in (
            "hip_flexion",
            "hip_adduction",
            "hip_rotation",
            "knee_flexion",
            "shoulder_flexion",
            "shoulder_adduction",
            "shoulder_rotation",
            "elbow_flexion",
        )
        for side in ("left", "right")
    ),
)
"""Names of the angles of the 17 joints of Human3.6M, in their order."""

FOOT_ANGLE_NAMES: tuple[str, ...] = tuple(
    f"{side}_{angle}" for angle in ("ankle_flexion", "foot_progression") for side in ("left", "right")
)
"""Names of the angles that motion with feet has after those."""

BENT = 30.0
"""Flexion of a knee or elbow, in degrees, from which on its thigh or upper arm's rotation is observable.

The shank shows the rotation by the plane in which the knee bends. An error of its direction across that plane
counts 1 / sin(flexion): twice at 30 degrees, six times at 10.
"""
SIDEWAYS = 75.0
"""Ad- or abduction in degrees up to which flexion and rotation are observable.

A limb that points to the side lies along the axis of flexion, about which it cannot be seen to turn: errors
of its direction count 1 / cos(adduction), four times at 75 degrees.
"""
_LOWEST_FLEXION = -120.0
"""Flexion of hips and shoulders lies from here to a full turn more, where no limb passes."""

_Points = Float[Tensor, "*batch 3"]
_Axes = Float[Tensor, "*batch 3 3"]
_Degrees = Float[Tensor, "*batch"]


def joint_angles(
    joints: Float[Tensor, "*batch joints 3"], *, observable_only: bool = True
) -> dict[str, Float[Tensor, "*batch"]]:
    """Angles in degrees, by the names of ``ANGLE_NAMES``, and with feet of ``FOOT_ANGLE_NAMES``.

    >>> from spgnet.synthetic.procedural import procedural_clips
    >>> angles = joint_angles(procedural_clips(1, seed=0, seconds=2.0)[0].joints)
    >>> angles["left_knee_flexion"].shape
    torch.Size([100])

    =====================  ===================================================  ===========
    Name (side left out)   Positive                                             Range
    =====================  ===================================================  ===========
    pelvis_list            right hip lower than the left                        -90 to 90
    pelvis_rotation        pelvis turned to the left from the world's x         -180 to 180
    trunk_forward_lean     trunk leans forward from the vertical                -180 to 180
    trunk_side_lean        trunk leans to the right from the vertical           -90 to 90
    trunk_bending          trunk bends to the right relative to the pelvis      -90 to 90
    trunk_rotation         trunk turned to the left relative to the pelvis      -180 to 180
    hip_flexion            thigh forward                                        -120 to 240
    hip_adduction          thigh towards the other side                         -90 to 90
    hip_rotation           knee turned inward                                   -180 to 180
    knee_flexion           0 is straight                                        0 to 180
    shoulder_flexion       upper arm forward; 180 is straight up                -120 to 240
    shoulder_adduction     upper arm to the other side; abduction is negative   -90 to 90
    shoulder_rotation      forearm turned inward                                -180 to 180
    elbow_flexion          0 is straight                                        0 to 180
    ankle_flexion          toes up (dorsiflexion); 0 is square to the shank     -90 to 90
    foot_progression       toes out from where the pelvis faces                 -180 to 180
    =====================  ===================================================  ===========

    The ends of the ranges lie where joints do not go, so that a series over time does not jump by full turns;
    ``pelvis_rotation`` does, where a person turns around. Knees and elbows bend one way only: a
    hyperextended one reads as flexed.

    Args:
        joints: 17 joints of Human3.6M, or those of ``spgnet.geometry.skeleton.FEET23``, in a world with z up;
            the unit does not matter.
        observable_only: whether angles that can hardly be seen are NaN: rotation of a limb while its knee or
            elbow is bent by less than ``BENT``, flexion and rotation of one that points to the side by
            more than ``SIDEWAYS``, and progression of a foot that points up or down by more than that.

    Returns:
        The angles, NaN where joints coincide or are not finite, so that there is no angle.
    """
    skeleton = skeleton_of(joints.shape[-2])
    points = dict(zip(skeleton.names, joints.double().unbind(-2), strict=True))
    pelvis, trunk = segment_axes(joints)
    angles: dict[str, Tensor] = {}
    angles["pelvis_list"], angles["pelvis_rotation"], _ = _upright_angles(pelvis)
    angles["trunk_side_lean"], _, tilt = _upright_angles(trunk)
    angles["trunk_forward_lean"] = -tilt
    _, angles["trunk_bending"], angles["trunk_rotation"] = cardan_zxy(trunk @ pelvis.mT)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for axes, (ball, hinge, end), names, bends in (
            (pelvis, ("hip", "knee", "ankle"), ("hip", "knee"), -1.0),
            (trunk, ("shoulder", "elbow", "wrist"), ("shoulder", "elbow"), 1.0),
        ):
            upper = points[f"{side}_{hinge}"] - points[f"{side}_{ball}"]
            lower = points[f"{side}_{end}"] - points[f"{side}_{hinge}"]
            # The limb's own axes: y up along it, z along the axis of its hinge.
            limb = _axes_along_y(-upper, bends * torch.linalg.cross(upper, lower))
            bend = _angle_between(upper, lower)
            flexion, adduction = _direction_angles(axes, upper)
            rotation = cardan_zxy(limb @ axes.mT)[2]
            if observable_only:
                forward = adduction.abs() <= SIDEWAYS
                flexion = _where(forward, flexion)
                rotation = _where(forward & (bend >= BENT), rotation)
            ball_name, hinge_name = (f"{side}_{name}" for name in names)
            angles[f"{ball_name}_flexion"] = flexion
            angles[f"{ball_name}_adduction"] = sign * adduction
            angles[f"{ball_name}_rotation"] = sign * rotation
            angles[f"{hinge_name}_flexion"] = bend
    ordered = ANGLE_NAMES
    if len(skeleton) > len(HUMAN36M):
        for side, outward in (("left", 1.0), ("right", -1.0)):
            foot = foot_axes(*(points[f"{side}_{point}"] for point in ("ankle", *FOOT_POINTS)))[..., 0, :]
            shank = unit_vectors_or_nan(points[f"{side}_knee"] - points[f"{side}_ankle"])
            angles[f"{side}_ankle_flexion"] = _elevation(foot, shank)
            turned = outward * _turn_from(pelvis[..., 0, :], foot)
            if observable_only:
                upward = foot.new_tensor([0.0, 0.0, 1.0]).expand_as(foot)
                level = _elevation(foot, upward).abs() <= SIDEWAYS
                turned = _where(level, turned)
            angles[f"{side}_foot_progression"] = turned
        ordered += FOOT_ANGLE_NAMES
    return {name: angles[name].to(joints.dtype) for name in ordered}


def segment_axes(
    joints: Float[Tensor, "*batch joints 3"],
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3 3"]]:
    """Axes of the pelvis and of the trunk: rows x (forward), y (up) and z (right), in the joints' frame.

    NaN where the joints that span them coincide or lie on one line.
    """
    body = joints[..., : len(HUMAN36M), :].double()
    points = dict(zip(HUMAN36M.names, body.unbind(-2), strict=True))
    up = points["thorax"] - points["pelvis"]
    right = unit_vectors_or_nan(points["right_hip"] - points["left_hip"])
    forward = unit_vectors_or_nan(torch.linalg.cross(up, right))
    pelvis = torch.stack((forward, torch.linalg.cross(right, forward), right), dim=-2)
    return pelvis, _axes_along_y(up, points["right_shoulder"] - points["left_shoulder"])


def cardan_zxy(rows: Float[Tensor, "*batch 3 3"]) -> tuple[_Degrees, _Degrees, _Degrees]:
    """Degrees about z, about the turned x, and about the y turned by both, that lead to the given axes.

    Args:
        rows: the axes after the turn, a row each, in the axes before it: the transpose of
            Rz(first) Rx(second) Ry(third).
    """
    x, y, z = rows.unbind(-2)
    second = torch.asin(y[..., 2].clamp(-1, 1))
    return _degrees(-y[..., 0], y[..., 1]), torch.rad2deg(second), _degrees(x[..., 2].neg(), z[..., 2])


def unwrap_degrees(angles: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """A series of angles without jumps of full turns; NaN stay, and the turn goes on after them.

    >>> unwrap_degrees(np.array([170.0, np.nan, -170.0])).tolist()
    [170.0, nan, 190.0]
    """
    known = np.isfinite(angles)
    unwrapped = angles.copy()
    unwrapped[known] = np.unwrap(angles[known], period=360)
    return unwrapped


def _upright_angles(axes: _Axes) -> tuple[_Degrees, _Degrees, _Degrees]:
    """List, rotation and tilt of a segment in a world with z up: Ry(rotation) Rx(list) Rz(tilt)."""
    x, y, z = axes.unbind(-2)
    # The world's axes forward, up and right are its x, its z and its -y.
    listed = torch.rad2deg(torch.asin(-z[..., 2].clamp(-1, 1)))
    return listed, _degrees(z[..., 0], -z[..., 1]), _degrees(x[..., 2], y[..., 2])


def _direction_angles(axes: _Axes, limb: _Points) -> tuple[_Degrees, _Degrees]:
    """Flexion of a limb from hanging down, and its angle to the left, in the axes of its parent segment."""
    forward, up, right = (axes @ unit_vectors_or_nan(limb).unsqueeze(-1))[..., 0].unbind(-1)
    flexion = _degrees(forward, -up)
    flexion = torch.where(flexion < _LOWEST_FLEXION, flexion + 360, flexion)
    return flexion, torch.rad2deg(torch.asin(-right.clamp(-1, 1)))


def _elevation(direction: _Points, up: _Points) -> _Degrees:
    """Angle of a unit vector from the plane square to another, towards that."""
    return torch.rad2deg(torch.asin((direction * up).sum(dim=-1).clamp(-1, 1)))


def _turn_from(start: _Points, end: _Points) -> _Degrees:
    """Angle to the left, seen from above, from one direction to another."""
    sine = start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]
    return _degrees(sine, start[..., 0] * end[..., 0] + start[..., 1] * end[..., 1])


def _axes_along_y(up: _Points, right: _Points) -> _Axes:
    """Axes (rows) whose y has the one direction, and whose z is nearest to the other."""
    y = unit_vectors_or_nan(up)
    x = unit_vectors_or_nan(torch.linalg.cross(y, right))
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=-2)


def _angle_between(first: _Points, second: _Points) -> _Degrees:
    across = torch.linalg.cross(unit_vectors_or_nan(first), unit_vectors_or_nan(second)).norm(dim=-1)
    return _degrees(across, (unit_vectors_or_nan(first) * unit_vectors_or_nan(second)).sum(dim=-1))


def _degrees(sine: _Degrees, cosine: _Degrees) -> _Degrees:
    return torch.rad2deg(torch.atan2(sine, cosine))


def _where(observable: Bool[Tensor, "*batch"], angle: _Degrees) -> _Degrees:
    return torch.where(observable, angle, torch.nan)
