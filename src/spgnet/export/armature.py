"""The animated skeleton of BVH and glTF files: its nodes, its rest pose and its size.

A node stands at a joint and turns the bone that begins there. In lifted motion every bone turns on its own,
also the two halves of the pelvis and the two collar bones. So where bones fork there are more nodes at the
same place: ``left_pelvis`` and ``right_pelvis`` at the pelvis, whose own bone goes up the spine, and
``left_collar`` and ``right_collar`` beside the thorax, whose own bone is the neck.

At rest the body stands in a T-pose, faces +z, has y up and so its left at +x.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.skeleton import HUMAN36M


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


def rigid_joints(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames 17 3"]:
    """The same motion with bones of constant length (:func:`steady_lengths`); directions and root stay."""
    return HUMAN36M.with_bone_lengths(joints, steady_lengths(joints))


def node_offsets(lengths: Float[Tensor, " bones"]) -> Float[Tensor, "nodes 3"]:
    """Where each node stands relative to its parent at rest, in metres (y up); zero for the root."""
    places = [torch.zeros(3, dtype=lengths.dtype)]
    for bone, (parent, _) in enumerate(HUMAN36M.bones):
        places.append(places[parent] + lengths[bone] * rest_directions()[bone].to(lengths.dtype))
    nodes = [places[HUMAN36M.names.index(node.joint)] for node in NODES]
    return torch.stack([nodes[i] - nodes[p] if p >= 0 else nodes[i] for i, p in enumerate(PARENTS)])


def forward_kinematics(
    rotations: Float[Tensor, "frames nodes 3 3"],
    offsets: Float[Tensor, "nodes 3"],
    root: Float[Tensor, "frames 3"],
) -> Float[Tensor, "frames nodes 3"]:
    """Positions of the nodes, from their rotations relative to their parents and the root's position."""
    turns, places = [rotations[:, 0]], [root]
    for node, parent in list(enumerate(PARENTS))[1:]:
        places.append(places[parent] + turns[parent] @ offsets[node])
        turns.append(turns[parent] @ rotations[:, node])
    return torch.stack(places, dim=1)
