"""The animated skeleton of BVH and glTF files: nodes, rest pose, and rotations from joint positions.

A node stands at a joint and turns the bone that begins there. In lifted motion every bone turns on its own,
also the two halves of the pelvis and the two collar bones. So where bones fork there are more nodes at the
same place: ``left_pelvis`` and ``right_pelvis`` at the pelvis, whose own bone goes up the spine, and
``left_collar`` and ``right_collar`` beside the thorax, whose own bone is the neck.

At rest the body stands in a T-pose, faces +z, has y up and so its left at +x.

The direction of a bone fixes two of the three angles of its node. The third, the twist about the bone, is
taken from what else is seen: the hips for the pelvis, the shoulders for the trunk, and for thighs, upper arms
and the neck the plane in which the next joint bends. Where nothing is seen of it there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.geometry.kinematics import sum_bones
from spgnet.geometry.skeleton import HUMAN36M


@dataclass(frozen=True)
class Node:
    """A node of the skeleton.

    Args:
        name: its name in the file.
        joint: name of the joint where it stands.
        parent: name of the node that it hangs on; empty for the root.
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
"""All nodes, depth first: a parent comes before its children, and children follow it at once."""

PARENTS: tuple[int, ...] = tuple(
    next((i for i, other in enumerate(NODES) if other.name == node.parent), -1) for node in NODES
)
"""Index of the parent of each node; -1 for the root."""

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


def steady_lengths(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, " bones"]:
    """One length for each bone, in metres: its median over time, and the mean of left and right."""
    medians = HUMAN36M.bone_lengths(joints).quantile(0.5, dim=0)
    twins = [HUMAN36M.mirror[child] - 1 for _, child in HUMAN36M.bones]
    return (medians + medians[twins]) / 2


def node_offsets(lengths: Float[Tensor, " bones"]) -> Float[Tensor, "nodes 3"]:
    """Where each node stands relative to its parent at rest, in metres (y up); zero for the root."""
    bones = lengths.unsqueeze(-1) * rest_directions().to(lengths.dtype)
    joints = sum_bones(torch.cat((bones.new_zeros(1, 3), bones)), HUMAN36M.parents)
    nodes = [joints[HUMAN36M.names.index(node.joint)] for node in NODES]
    return torch.stack([nodes[i] - nodes[p] if p >= 0 else nodes[i] for i, p in enumerate(PARENTS)])


_ACROSS = {"pelvis": ("right_hip", "left_hip"), "spine": ("right_shoulder", "left_shoulder")}
"""Node: the joints whose line, which is +x at rest, gives its twist."""
_HINGES = {
    "right_hip": ("right_ankle", (1.0, 0.0, 0.0)),
    "left_hip": ("left_ankle", (1.0, 0.0, 0.0)),
    "right_shoulder": ("right_wrist", (0.0, 1.0, 0.0)),
    "left_shoulder": ("left_wrist", (0.0, -1.0, 0.0)),
    "thorax": ("head_top", (-1.0, 0.0, 0.0)),
}
"""Node: the end of the bone after its own, and the axis at rest about which that bone bends away from it.
Knees bend the shank backward; elbows bend the forearm forward, with the palms of the T-pose facing down."""
_STRAIGHT, _BENT = math.radians(10), math.radians(30)
"""A hinge's axis counts in full from the second angle on, and not at all below the first."""

Vectors = Float[Tensor, "frames 3"]
Matrices = Float[Tensor, "frames 3 3"]


def joint_rotations(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames nodes 3 3"]:
    """Rotation of each node of ``NODES`` relative to its parent; the root's relative to the world.

    With them and :func:`node_offsets`, :func:`spgnet.geometry.kinematics.forward_kinematics` gives the joints
    back exactly.
    A knee or elbow that is bent by 30 degrees or more turns about its anatomical axis alone; nearer to
    straight its axis fades to the one between the neighbouring bent frames, so that nothing flips.

    Args:
        joints: 17 joints in frames with y up; the unit does not matter.
    """
    joints = joints.double()
    directions = _directions(joints)
    globals_: dict[str, Tensor] = {"": torch.eye(3, dtype=torch.float64).expand(len(joints), 3, 3)}
    for node in NODES:
        globals_[node.name] = _global_rotation(node, globals_[node.parent], joints, directions)
    turns = torch.stack([globals_[node.name] for node in NODES], dim=1)
    above = torch.stack([globals_[node.parent] for node in NODES], dim=1)
    return above.mT @ turns


def joint_quaternions(rotations: Float[Tensor, "frames nodes 3 3"]) -> Float[Tensor, "frames nodes 4"]:
    """The same as unit quaternions (x, y, z, w), each with the sign that is nearer to the frame before."""
    quaternions = roma.rotmat_to_unitquat(rotations)
    along = (quaternions[1:] * quaternions[:-1]).sum(dim=-1, keepdim=True)
    signs = torch.where(along < 0, -1.0, 1.0).to(quaternions.dtype).cumprod(dim=0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])


def _directions(joints: Tensor) -> dict[str, Tensor]:
    """Unit vector along the bone to each joint; straight up where a bone has no length."""
    parents, children = zip(*HUMAN36M.bones, strict=True)
    bones = joints[:, children] - joints[:, parents]
    lengths = bones.norm(dim=-1, keepdim=True)
    up = bones.new_tensor([0.0, 1.0, 0.0])
    units = torch.where(lengths > 1e-9, bones / lengths.clamp_min(1e-9), up)
    return dict(zip(HUMAN36M.bone_names, units.unbind(dim=1), strict=True))


_REST_OF = dict(zip(HUMAN36M.bone_names, rest_directions(), strict=True))


def _global_rotation(
    node: Node, parent: Matrices, joints: Float[Tensor, "frames 17 3"], directions: dict[str, Tensor]
) -> Matrices:
    if not node.end:
        return parent
    bone = directions[node.end]
    carried = _shortest_turn(parent @ _REST_OF[node.end], bone) @ parent
    if node.name in _ACROSS:
        right, left = (joints[:, HUMAN36M.names.index(name)] for name in _ACROSS[node.name])
        wanted = _angle_about(bone, carried[..., 0], left - right)
    elif node.name in _HINGES:
        following, axis = _HINGES[node.name]
        wanted = _hinge_twist(bone, directions[following], carried @ bone.new_tensor(axis))
    else:
        return carried
    return roma.rotvec_to_rotmat(bone * wanted.unsqueeze(-1)) @ carried


def _shortest_turn(start: Vectors, end: Vectors) -> Matrices:
    """The smallest rotation of a unit vector to another; any of them where they are opposite."""
    half = start + end
    length = half.norm(dim=-1, keepdim=True)
    half = torch.where(length > 1e-9, half / length.clamp_min(1e-9), _perpendicular(start))
    quaternion = torch.cat([start.cross(half, dim=-1), (start * half).sum(dim=-1, keepdim=True)], dim=-1)
    return roma.unitquat_to_rotmat(quaternion / quaternion.norm(dim=-1, keepdim=True))


def _perpendicular(units: Vectors) -> Vectors:
    """Some unit vector at right angles to each."""
    axis = torch.nn.functional.one_hot(units.abs().argmin(dim=-1), 3).to(units.dtype)
    crossed = units.cross(axis, dim=-1)
    return crossed / crossed.norm(dim=-1, keepdim=True)


def _angle_about(axis: Vectors, start: Vectors, end: Vectors) -> Float[Tensor, " frames"]:
    """Angle about a unit axis from one vector to another, in (-pi, pi]; 0 where one is along the axis."""
    return torch.atan2((axis * start.cross(end, dim=-1)).sum(-1), _across(axis, start, end))


def _across(axis: Vectors, start: Vectors, end: Vectors) -> Float[Tensor, " frames"]:
    """Product of the parts of two vectors that are at right angles to a unit axis."""
    return (start * end).sum(-1) - (axis * start).sum(-1) * (axis * end).sum(-1)


def _hinge_twist(bone: Vectors, following: Vectors, axis: Vectors) -> Float[Tensor, " frames"]:
    """Angle about a bone from a hinge's axis to the axis about which the following bone bends."""
    across = bone.cross(following, dim=-1)
    bend = torch.atan2(across.norm(dim=-1), (bone * following).sum(-1))
    twist = _angle_about(bone, axis, across)
    bent = (bend >= _BENT) & (bend <= math.pi - _STRAIGHT)
    anchor = _continued(twist, bent)
    share = ((bend - _STRAIGHT) / (_BENT - _STRAIGHT)).clamp(0, 1)
    share = share * ((math.pi - bend) / _STRAIGHT).clamp(0, 1)
    return anchor + share * (twist - anchor).sin().clamp(-1, 1).asin()


def _continued(angle: Float[Tensor, " frames"], known: Bool[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """Angles where they are known, without jumps of a full turn, and interpolated in time elsewhere."""
    if not bool(known.any()):
        return torch.zeros_like(angle)
    at = known.numpy().nonzero()[0]
    filled = np.interp(np.arange(len(angle)), at, np.unwrap(angle.numpy()[at]))
    return torch.from_numpy(filled)
