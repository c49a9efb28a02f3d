"""The skeletons of files: this package's own, and those of Mixamo, VRM and Unreal (docs/export.md).

A rig is a tree of nodes. Each node moves with a *segment* of the body, a node of
:data:`spgnet.export.armature.NODES` or one of two that exist only where the pelvis is rigid:

- ``hips``, which turns with the line between the hips and has the spine above it;
- ``lumbar``, which points from a fixed place above the hips to the spine joint.

Each node stands at a *place*: one of the 17 joints, ``hips`` (the middle between the hips), ``lumbar`` (the
lowest point of the spine above them), ``skull`` (its base), or between two of them.

Names and hierarchies are those of Mixamo's FBX files, of the humanoid bones of VRM 1.0
(VRMC_vrm-1.0/humanoid.md) and of Unreal Engine 5's SK_Mannequin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

from spgnet.export.armature import NODES

RigName = Literal["spgnet", "mixamo", "vrm", "unreal"]
RIG_NAMES: tuple[RigName, ...] = get_args(RigName)
Offset = tuple[float, float, float]


@dataclass(frozen=True)
class RigNode:
    """A node of a rig, and where it stands in the T-pose.

    Args:
        name: its name in the file.
        parent: name of its parent; empty for the root.
        segment: what it moves with; empty for a root that stands on the floor and never moves.
        place: names of the places between which it stands, and their shares, which sum to 1.
        offset: from there, in metres on a person 1.75 m tall (x to the left, y up, z forward).
        end: whether it only gives the bone before it a length. BVH files write it as an end site.
    """

    name: str
    parent: str
    segment: str
    place: Mapping[str, float]
    offset: Offset = (0.0, 0.0, 0.0)
    end: bool = False


@dataclass(frozen=True)
class Rig:
    """A tree of nodes with a rest pose.

    Args:
        name: its name in options.
        nodes: parents before their children; the child that a bone points to comes before its siblings.
        lumbar_height: height of the lowest point of the spine above the hips, in metres on a person 1.75 m
            tall, if the pelvis is rigid; None if each of its halves has a node.
        arms_down: angle of the arms below the horizontal in the rest pose, in radians: 0 is a T-pose.
        humanoid: VRM's name of each node that is one of its humanoid bones, by the node's name.
    """

    name: RigName
    nodes: tuple[RigNode, ...]
    lumbar_height: float | None = None
    arms_down: float = 0.0
    humanoid: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Index of the parent of each node; -1 for the root."""
        names = [node.name for node in self.nodes]
        return tuple(names.index(node.parent) if node.parent else -1 for node in self.nodes)

    @cached_property
    def mover(self) -> int:
        """Index of the node that carries the person through the world: the first that moves."""
        return next(index for index, node in enumerate(self.nodes) if node.segment)

    def node_of(self, *segments: str) -> int:
        """Index of the first node that moves with the first of these segments that the rig has."""
        moving = [node.segment for node in self.nodes]
        return moving.index(next(segment for segment in segments if segment in moving))


_BALL: Offset = (0.0, -0.055, 0.125)
"""From the ankle to the ball of the foot, in metres on a person 1.75 m tall."""
_TOES: Offset = (0.0, -0.065, 0.190)
"""From the ankle to the tip of the toes."""
_KNUCKLES: Offset = (0.09, 0.0, 0.0)
"""From the left wrist to the knuckles."""
_STUB: Offset = (0.0, 0.02, 0.0)
"""Above the top of the head."""


def _side(side: str, offset: Offset) -> Offset:
    """An offset of the left side on either side."""
    return (-offset[0] if side == "right" else offset[0], offset[1], offset[2])


def _spgnet() -> Rig:
    """A node for each that :mod:`spgnet.export.armature` describes, and ends for the last bones."""
    nodes = [RigNode(node.name, node.parent, node.name, {node.joint: 1.0}) for node in NODES]
    # Blender shows a last node as a bone as long as the one before it: two halves of a foot.
    half = (_BALL[0] / 2, _BALL[1] / 2, _BALL[2] / 2)
    ends = [(f"{side}_ankle", half) for side in ("right", "left")]
    ends += [(f"{side}_wrist", _side(side, _KNUCKLES)) for side in ("right", "left")]
    ends += [("head_top", _STUB)]
    nodes += [RigNode(f"{name}_end", name, name, {name: 1.0}, offset, end=True) for name, offset in ends]
    return Rig("spgnet", tuple(nodes))


@dataclass(frozen=True)
class _Names:
    """What a rig calls its nodes; ``{}`` stands for the side.

    Args:
        sides: names of left and right.
        hips: the pelvis.
        lumbar: the nodes of the spine below the spine joint, from the lowest up.
        thoracic: those from the spine joint up.
        neck: from the lowest up.
        head: the head and its end.
        arm: collar, upper arm, forearm, hand and the end of the hand.
        leg: thigh, shank, foot, toes and the end of the toes.
        root: a root on the floor, if there is one.
    """

    sides: tuple[str, str]
    hips: str
    lumbar: tuple[str, ...]
    thoracic: tuple[str, ...]
    neck: tuple[str, ...]
    head: tuple[str, str]
    arm: tuple[str, str, str, str, str]
    leg: tuple[str, str, str, str, str]
    root: str = ""


def _humanoid(names: _Names, hip_height: float) -> tuple[RigNode, ...]:
    """The nodes of a rig with a rigid pelvis, whose node is some metres above the hips."""
    nodes = [RigNode(names.root, "", "", {})] if names.root else []
    nodes.append(RigNode(names.hips, names.root, "hips", {"hips": 1.0}, (0.0, hip_height, 0.0)))
    chains = (
        (names.lumbar, "lumbar", "lumbar", "spine"),
        (names.thoracic, "spine", "spine", "thorax"),
        (names.neck, "thorax", "thorax", "skull"),
    )
    for chain, segment, start, end in chains:
        for index, name in enumerate(chain):
            share = index / len(chain)
            nodes.append(RigNode(name, nodes[-1].name, segment, {start: 1 - share, end: share}))
    head, head_end = names.head
    nodes.append(RigNode(head, nodes[-1].name, "nose", {"skull": 1.0}))
    nodes.append(RigNode(head_end, head, "nose", {"head_top": 1.0}, end=True))
    for side, label in zip(("left", "right"), names.sides, strict=True):
        joints = ("thorax", f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist", f"{side}_wrist")
        segments = ("collar", "shoulder", "elbow", "wrist", "wrist")
        parent = names.thoracic[-1]
        for part, joint, segment in zip(names.arm, joints, segments, strict=True):
            nodes.append(RigNode(part.format(label), parent, f"{side}_{segment}", {joint: 1.0}))
            parent = nodes[-1].name
        nodes[-1] = replace(nodes[-1], offset=_side(side, _KNUCKLES), end=True)
    for side, label in zip(("left", "right"), names.sides, strict=True):
        joints = (f"{side}_hip", f"{side}_knee", *[f"{side}_ankle"] * 3)
        offsets: tuple[Offset, ...] = (*[(0.0, 0.0, 0.0)] * 3, _BALL, _TOES)
        parent = names.hips
        for part, joint, offset in zip(names.leg, joints, offsets, strict=True):
            nodes.append(RigNode(part.format(label), parent, joint, {joint: 1.0}, offset))
            parent = nodes[-1].name
        nodes[-1] = replace(nodes[-1], end=True)
    return tuple(nodes)


_MIXAMO = _Names(
    sides=("mixamorig:Left", "mixamorig:Right"),
    hips="mixamorig:Hips",
    lumbar=("mixamorig:Spine",),
    thoracic=("mixamorig:Spine1", "mixamorig:Spine2"),
    neck=("mixamorig:Neck",),
    head=("mixamorig:Head", "mixamorig:HeadTop_End"),
    arm=("{}Shoulder", "{}Arm", "{}ForeArm", "{}Hand", "{}HandMiddle1"),
    leg=("{}UpLeg", "{}Leg", "{}Foot", "{}ToeBase", "{}Toe_End"),
)
_VRM = _Names(
    sides=("left", "right"),
    hips="hips",
    lumbar=("spine",),
    thoracic=("chest", "upperChest"),
    neck=("neck",),
    head=("head", "head_end"),
    arm=("{}Shoulder", "{}UpperArm", "{}LowerArm", "{}Hand", "{}Hand_end"),
    leg=("{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toes", "{}Toes_end"),
)
_UNREAL = _Names(
    sides=("l", "r"),
    root="root",
    hips="pelvis",
    lumbar=("spine_01", "spine_02"),
    thoracic=("spine_03", "spine_04", "spine_05"),
    neck=("neck_01", "neck_02"),
    head=("head", "head_end"),
    arm=("clavicle_{}", "upperarm_{}", "lowerarm_{}", "hand_{}", "hand_{}_end"),
    leg=("thigh_{}", "calf_{}", "foot_{}", "ball_{}", "ball_{}_end"),
)
_VRM_NODES = _humanoid(_VRM, hip_height=0.05)

RIGS: Mapping[RigName, Rig] = {
    "spgnet": _spgnet(),
    "mixamo": Rig("mixamo", _humanoid(_MIXAMO, hip_height=0.055), lumbar_height=0.10),
    "vrm": Rig(
        "vrm",
        _VRM_NODES,
        lumbar_height=0.10,
        humanoid={node.name: node.name for node in _VRM_NODES if not node.end},
    ),
    "unreal": Rig(
        "unreal", _humanoid(_UNREAL, hip_height=0.015), lumbar_height=0.08, arms_down=math.radians(45)
    ),
}
"""All rigs, by name."""
