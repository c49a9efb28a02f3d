"""The segments of a body with 17 joints, and their rotations from joint positions.

A node stands at a joint and rotates the bone that begins there. In lifted motion every bone rotates on its
own, also the two halves of the pelvis and the two collar bones. So where bones fork there are more nodes at
the same position: ``left_pelvis`` and ``right_pelvis`` at the pelvis, whose own bone goes up the spine, and
``left_collar`` and ``right_collar`` beside the thorax, whose own bone is the neck.

The rest pose is a T-pose that faces +z, with y up and so the left at +x.

Each node's rotation relative to its parent is a swing, the minimal rotation that brings the bone to its
direction, and then a twist about the bone, which the direction leaves open. The twist comes from other
joints: the hips for the pelvis, the shoulders for the trunk, and for thighs, upper arms and the neck the
plane in which the next joint bends. Where no joint tells of it there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.geometry.directions import minimal_rotation
from spgnet.geometry.skeleton import HUMAN36M


@dataclass(frozen=True)
class Node:
    """A node of the animated skeleton.

    Args:
        name: its name in the file.
        joint: name of the joint where it stands.
        parent: name of its parent; empty for the root.
        end: name of the joint at the end of its bone; empty where no bone follows.
    """

    name: str
    joint: str
    parent: str
    end: str


def _leg(side: str) -> tuple[Node, ...]:
    return (
        Node(f"{side}_pelvis", "pelvis", "pelvis", f"{side}_hip"),
        Node(f"{side}_hip", f"{side}_hip", f"{side}_pelvis", f"{side}_knee"),
        Node(f"{side}_knee", f"{side}_knee", f"{side}_hip", f"{side}_ankle"),
        Node(f"{side}_ankle", f"{side}_ankle", f"{side}_knee", ""),
    )


def _arm(side: str) -> tuple[Node, ...]:
    return (
        Node(f"{side}_collar", "thorax", "spine", f"{side}_shoulder"),
        Node(f"{side}_shoulder", f"{side}_shoulder", f"{side}_collar", f"{side}_elbow"),
        Node(f"{side}_elbow", f"{side}_elbow", f"{side}_shoulder", f"{side}_wrist"),
        Node(f"{side}_wrist", f"{side}_wrist", f"{side}_elbow", ""),
    )


NODES: tuple[Node, ...] = (
    Node("pelvis", "pelvis", "", "spine"),
    *_leg("right"),
    *_leg("left"),
    Node("spine", "spine", "pelvis", "thorax"),
    Node("thorax", "thorax", "spine", "nose"),
    Node("nose", "nose", "thorax", "head_top"),
    Node("head_top", "head_top", "nose", ""),
    *_arm("left"),
    *_arm("right"),
)
"""All nodes, depth first: parents come before their children."""

_REST = {
    "hip": (1.0, 0.0, 0.0),
    "knee": (0.0, -1.0, 0.0),
    "ankle": (0.0, -1.0, 0.0),
    "spine": (0.0, 1.0, 0.0),
    "thorax": (0.0, 1.0, 0.0),
    "nose": (0.0, 0.8192, 0.5736),
    "head_top": (0.0, 0.9428, -0.3333),
    "shoulder": (1.0, 0.0, 0.0),
    "elbow": (1.0, 0.0, 0.0),
    "wrist": (1.0, 0.0, 0.0),
}
"""Direction of each bone at rest, in the middle or on the left."""


def rest_directions() -> Float[Tensor, "bones 3"]:
    """Unit vectors along the bones at rest (y up), in the order of ``HUMAN36M.bones``."""
    rows = []
    for name in HUMAN36M.bone_names:
        x, y, z = _REST[name.removeprefix("left_").removeprefix("right_")]
        rows.append((-x if name.startswith("right_") else x, y, z))
    directions = torch.tensor(rows, dtype=torch.float64)
    return directions / directions.norm(dim=-1, keepdim=True)


def symmetric_bone_lengths(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, " bones"]:
    """One length for each bone, in the joints' unit: its median over time, and the mean of left and right.

    Unlike ``lifting.bone_lengths.median_bone_lengths``, which weights by confidence, every frame counts
    alike: a file's skeleton follows from the joints in it.
    """
    medians = HUMAN36M.bone_lengths(joints).quantile(0.5, dim=0)
    twins = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]
    return (medians + medians[twins]) / 2


_LATERAL_JOINTS = {"pelvis": ("right_hip", "left_hip"), "spine": ("right_shoulder", "left_shoulder")}
"""Node: the joints whose line, which is +x at rest, gives its twist."""
_HINGES = {
    "right_hip": ("right_ankle", (1.0, 0.0, 0.0)),
    "left_hip": ("left_ankle", (1.0, 0.0, 0.0)),
    "right_shoulder": ("right_wrist", (0.0, 1.0, 0.0)),
    "left_shoulder": ("left_wrist", (0.0, -1.0, 0.0)),
    "thorax": ("head_top", (-1.0, 0.0, 0.0)),
}
"""Node: the end of the bone after its own, and the axis at rest about which that bone flexes. Knees flex the
shank backward; elbows flex the forearm forward, with the palms of the T-pose facing down."""
_STRAIGHT, _BENT = math.radians(10), math.radians(30)
"""Flexion up to which a hinge's axis is ignored, and from which on it counts in full."""

Vectors = Float[Tensor, "frames 3"]
Matrices = Float[Tensor, "frames 3 3"]


def world_rotations(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames nodes 3 3"]:
    """Rotation of each node of ``NODES`` in the world, from the T-pose.

    A bone of the T-pose turned so has the direction of the motion's bone. A knee or elbow that is flexed by
    30 degrees or more rotates about its anatomical axis alone; nearer to straight its axis fades to the one
    between the neighbouring flexed frames, so that nothing flips.

    Args:
        joints: 17 joints in frames with y up; the unit does not matter.
    """
    joints = joints.double()
    directions = _bone_directions(joints)
    by_node: dict[str, Tensor] = {"": _identity(joints)}
    for node in NODES:
        by_node[node.name] = _world_rotation(node, by_node[node.parent], joints, directions)
    return torch.stack([by_node[node.name] for node in NODES], dim=1)


def _identity(joints: Float[Tensor, "frames 17 3"]) -> Matrices:
    return torch.eye(3, dtype=torch.float64).expand(len(joints), 3, 3)


def joint_quaternions(rotations: Float[Tensor, "frames nodes 3 3"]) -> Float[Tensor, "frames nodes 4"]:
    """Rotations as unit quaternions (x, y, z, w), each with the sign that is nearer to the frame before."""
    import roma  # loads PyTorch's compiler: only for those who export

    quaternions = roma.rotmat_to_unitquat(rotations)
    cosines = (quaternions[1:] * quaternions[:-1]).sum(dim=-1, keepdim=True)
    signs = torch.where(cosines < 0, -1.0, 1.0).to(quaternions.dtype).cumprod(dim=0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])


def _bone_directions(joints: Float[Tensor, "frames 17 3"]) -> dict[str, Vectors]:
    """Unit vector along each bone, by the name of the joint at its end; up where a bone has no length."""
    parents, children = zip(*HUMAN36M.bones, strict=True)
    bones = joints[:, children] - joints[:, parents]
    lengths = bones.norm(dim=-1, keepdim=True)
    up = bones.new_tensor([0.0, 1.0, 0.0])
    units = torch.where(lengths > 1e-9, bones / lengths.clamp_min(1e-9), up)
    return dict(zip(HUMAN36M.bone_names, units.unbind(dim=1), strict=True))


_REST_DIRECTIONS = dict(zip(HUMAN36M.bone_names, rest_directions(), strict=True))


def _world_rotation(
    node: Node, parent: Matrices, joints: Float[Tensor, "frames 17 3"], directions: dict[str, Vectors]
) -> Matrices:
    """Rotation of a node in the world, from its parent's: first the swing, then the twist."""
    if not node.end:
        return parent
    bone = directions[node.end]
    swing = minimal_rotation(parent @ _REST_DIRECTIONS[node.end], bone) @ parent
    if node.name in _LATERAL_JOINTS:
        right, left = (joints[:, HUMAN36M.names.index(name)] for name in _LATERAL_JOINTS[node.name])
        twist = _signed_angle(bone, swing[..., 0], left - right)
    elif node.name in _HINGES:
        following, axis = _HINGES[node.name]
        twist = _hinge_twist(bone, directions[following], swing @ bone.new_tensor(axis))
    else:
        return swing
    import roma  # loads PyTorch's compiler: only for those who export

    return roma.rotvec_to_rotmat(bone * twist.unsqueeze(-1)) @ swing


def _signed_angle(axis: Vectors, start: Vectors, end: Vectors) -> Float[Tensor, " frames"]:
    """Angle about a unit axis from one vector to another, in (-pi, pi]; 0 where one is along the axis."""
    sine = (axis * start.cross(end, dim=-1)).sum(-1)
    cosine = (start * end).sum(-1) - (axis * start).sum(-1) * (axis * end).sum(-1)
    return torch.atan2(sine, cosine)


def _hinge_twist(bone: Vectors, following: Vectors, axis: Vectors) -> Float[Tensor, " frames"]:
    """Angle about a bone from a hinge's axis to the axis about which the following bone is flexed."""
    normal = bone.cross(following, dim=-1)
    flexion = torch.atan2(normal.norm(dim=-1), (bone * following).sum(-1))
    twist = _signed_angle(bone, axis, normal)
    flexed = (flexion >= _BENT) & (flexion <= math.pi - _STRAIGHT)
    anchor = _interpolate_unknown(twist, flexed)
    share = ((flexion - _STRAIGHT) / (_BENT - _STRAIGHT)).clamp(0, 1)
    share = share * ((math.pi - flexion) / _STRAIGHT).clamp(0, 1)
    # A joint that bends a little the wrong way has a reversed normal: half a turn counts as no difference.
    return anchor + share * (twist - anchor).sin().clamp(-1, 1).asin()


def _interpolate_unknown(
    angles: Float[Tensor, " frames"], known: Bool[Tensor, " frames"]
) -> Float[Tensor, " frames"]:
    """Angles where they are known, without jumps of full turns, and interpolated over frames elsewhere."""
    if not bool(known.any()):
        return torch.zeros_like(angles)
    at = known.numpy().nonzero()[0]
    filled = np.interp(np.arange(len(angles)), at, np.unwrap(angles.numpy()[at]))
    return torch.from_numpy(filled)
