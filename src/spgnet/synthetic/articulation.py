"""An articulated body: joint angles and bone vectors to joint positions, standing on the floor.

The body frame has x to the right, y ahead and z up. At zero angles the body stands upright with hanging
arms. Angles are in degrees and anatomical, one triple for each joint:

- flexion: the trunk and the neck forward, the thighs and arms forward, the shanks backward;
- side: the trunk to its right, a limb away from the midline;
- twist: the trunk to its left, a limb outward.
"""

from __future__ import annotations

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.kinematics import forward_kinematics
from spgnet.geometry.skeleton import HUMAN36M

Angle = Tensor | float | int
"""Degrees: one value, [clips, 1] or [clips, frames]."""
Pose = dict[str, Tensor]
"""For each joint of ``JOINT_ROTATIONS``: angles [clips, frames, 3]."""

JOINT_ROTATIONS: dict[str, tuple[str, tuple[float, float, float], float]] = {
    "heading": ("pelvis", (1, 1, 1), 0),
    "pelvis": ("pelvis", (-1, 1, 1), 1.5),
    "lumbar": ("spine", (-1, 1, 1), 2.5),
    "thoracic": ("thorax", (-1, 1, 1), 2.5),
    "neck": ("nose", (-1, 1, 1), 10),
    "left_hip": ("left_knee", (1, 1, 1), 1),
    "right_hip": ("right_knee", (1, -1, -1), 1),
    "left_knee": ("left_ankle", (-1, 1, 1), 1.5),
    "right_knee": ("right_ankle", (-1, -1, -1), 1.5),
    "left_clavicle": ("left_shoulder", (1, 1, 1), 4),
    "right_clavicle": ("right_shoulder", (1, -1, -1), 4),
    "left_shoulder": ("left_elbow", (1, 1, 1), 6),
    "right_shoulder": ("right_elbow", (1, -1, -1), 6),
    "left_elbow": ("left_wrist", (1, 1, 1), 8),
    "right_elbow": ("right_wrist", (1, -1, -1), 8),
}
"""Joint: the bone that it rotates (named by its far end), the signs that convert its anatomical angles to
rotations about x, y and z, and the amplitude of its random motion in every action (degrees)."""

SIDES = ("left", "right")
_HINGE_LIMIT = 150.0

_BODY = {
    "pelvis": (0.0, 0.0, 0.0, 0.10),
    "hip": (0.13, 0.0, 0.0, 0.10),
    "knee": (0.0, 0.0, -0.45, 0.07),
    "ankle": (0.0, 0.0, -0.44, 0.08),
    "spine": (0.0, 0.0, 0.24, 0.08),
    "thorax": (0.0, 0.0, 0.25, 0.08),
    "nose": (0.0, 0.07, 0.10, 0.05),
    "head_top": (0.0, -0.04, 0.113, 0.05),
    "shoulder": (0.148, 0.0, -0.02, 0.08),
    "elbow": (0.0, 0.0, -0.28, 0.05),
    "wrist": (0.0, 0.0, -0.25, 0.04),
}
"""Joint: the bone to it at zero angles on the right or in the middle (x, y, z), and how high above the floor
it is when it is at its lowest, all in metres."""
_STATURE = 1.673
"""Height of that body, in metres."""
_CONTACT = 0.015
"""How gradually the weight goes from one joint to another, in metres of height between them."""


def bone_vectors(
    scales: Float[Tensor, "clips 17"], stature: Float[Tensor, "clips 1"]
) -> Float[Tensor, "clips 17 3"]:
    """Bone vectors at zero angles, in metres, of bodies whose left and right are alike.

    Args:
        scales: a factor for the bone to each joint; the left side takes that of its twin.
        stature: height of the body, in metres, before these factors.
    """
    offsets = _body_table()[:, :3]
    offsets[[HUMAN36M.side(joint) == "left" for joint in range(len(HUMAN36M))], 0] *= -1
    twins = [min(joint, twin) for joint, twin in enumerate(HUMAN36M.mirror)]
    return offsets * (scales[:, twins] * stature / _STATURE)[..., None]


def _body_table() -> Float[Tensor, "17 4"]:
    """The rows of ``_BODY`` in the order of the joints; those of the left are as those of the right."""
    return torch.tensor([_BODY[joint_type] for joint_type in HUMAN36M.joint_types], dtype=torch.float64)


def pose_body(pose: Pose, offsets: Float[Tensor, "clips joints 3"]) -> Float[Tensor, "clips frames joints 3"]:
    """Joints of bodies in poses, relative to the pelvis."""
    bone_rotations: dict[str, Tensor] = {}
    for joint, (bone, signs, _) in JOINT_ROTATIONS.items():
        angles = pose[joint].clone()
        if joint.endswith(("knee", "elbow")):
            angles[..., 0] = _HINGE_LIMIT - _positive(_HINGE_LIMIT - _positive(angles[..., 0]))
            angles[..., 1:] = 0
        matrix = roma.euler_to_rotmat("XYZ", angles * angles.new_tensor(signs), degrees=True)
        bone_rotations[bone] = bone_rotations[bone] @ matrix if bone in bone_rotations else matrix
    identity = torch.eye(3, dtype=torch.float64).expand_as(bone_rotations["pelvis"])
    rotations = torch.stack([bone_rotations.get(name, identity) for name in HUMAN36M.names], dim=-3)
    return forward_kinematics(rotations, offsets[:, None], HUMAN36M.parents, rotates="to_joint")[0]


def _positive(angle: Tensor) -> Tensor:
    """The angle (degrees) where it is well above zero; smoothly kept above zero elsewhere."""
    return torch.nn.functional.softplus(angle, beta=0.25)


def stand_on_floor(joints: Float[Tensor, "clips frames joints 3"]) -> Float[Tensor, "clips frames joints 3"]:
    """Put bodies on the floor: the lowest joints touch it, and stay where they are while they are lowest.

    So a person who walks is carried ahead by the leg that stands.
    """
    height = joints[..., 2] - _body_table()[:, 3]
    weight = (-height / _CONTACT).softmax(dim=-1)
    root = torch.zeros_like(joints[:, :, 0])
    root[..., 2] = -(weight * height).sum(dim=-1)
    slip = (weight[:, 1:] + weight[:, :-1]).unsqueeze(-1) / 2 * joints[..., :2].diff(dim=1)
    root[:, 1:, :2] = -slip.sum(dim=-2).cumsum(dim=1)
    return joints + root.unsqueeze(-2)
