"""A rig that moves as a motion does: its rest pose and local transforms over time.

Retargeting keeps directions. With G the rotation of a segment from the T-pose (world, y up), and Q the axes
of a node's bone in the T-pose, the node's orientation is G Q in every frame, whatever the rig's rest pose;
the rest pose is the frame in which G is the rest's own rotation P of the segment from the T-pose (the
identity but for the arms of an A-pose). A node is rigidly attached to its parent, so its local translation
is constant, and local rotations are (G_parent Q_parent)^-1 G Q.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from spgnet.export.armature import (
    NODES,
    rest_directions,
    symmetric_bone_lengths,
    world_rotations,
)
from spgnet.export.rigs import Rig
from spgnet.geometry.directions import minimal_rotation
from spgnet.geometry.foot import SIDES, foot_axes
from spgnet.geometry.kinematics import compose_rotations, sum_bones
from spgnet.geometry.skeleton import ANKLE_HEIGHT, BODY, FOOT_POINTS, HUMAN36M, skeleton_of

Axes = Literal["bone", "world"]


@dataclass(frozen=True)
class PosedRig:
    """A rig of a person's size, at rest and over time (metres, y up).

    Args:
        rig: names and parents of the nodes.
        tpose: positions of the nodes in the T-pose, standing on the floor.
        places: positions of the joints and other places of the body in the T-pose, by name.
        scale: the person's size, as a share of a person 1.75 m tall.
        offsets: of each node from its parent, in the parent's axes; the root's is its rest position.
        rest: rotation of each node relative to its parent in the rest pose.
        rotations: the same over time.
        positions: of the node ``rig.mover`` in the world over time; a parent stands at the origin, upright.
        bind: turns the T-pose about each node into the rest pose: P of the module's text.
    """

    rig: Rig
    tpose: Float[Tensor, "nodes 3"]
    places: dict[str, Float[Tensor, " 3"]]
    scale: float
    offsets: Float[Tensor, "nodes 3"]
    rest: Float[Tensor, "nodes 3 3"]
    rotations: Float[Tensor, "frames nodes 3 3"]
    positions: Float[Tensor, "frames 3"]
    bind: Float[Tensor, "nodes 3 3"]

    @property
    def rest_orientations(self) -> Float[Tensor, "nodes 3 3"]:
        """Rotation of each node in the world at rest."""
        return compose_rotations(self.rest, self.rig.parents)

    @property
    def rest_positions(self) -> Float[Tensor, "nodes 3"]:
        """Position of each node in the world at rest."""
        parents = self.rig.parents
        world = self.rest_orientations
        bones = [world[p] @ self.offsets[i] if p >= 0 else self.offsets[i] for i, p in enumerate(parents)]
        return sum_bones(torch.stack(bones), parents)


def pose_rig(rig: Rig, joints: Float[Tensor, "frames joints 3"], axes: Axes = "bone") -> PosedRig:
    """Pose a rig over a motion.

    Bones get one length each: the clip's median, alike on the left and right. Every segment keeps its
    direction in every frame. With this package's own rig the pelvis keeps its place; where the pelvis is
    rigid, the middle between the hips does.

    Args:
        rig: the rig.
        joints: the 17 joints over time in metres, with y up, or with feet 23, which turn the rig's feet;
            without them feet keep at a right angle to the shanks.
        axes: ``bone``: each node's +y points along its bone, to its first child; ``world``: nodes have no
            rotation at rest, as BVH files want it.
    """
    joints = joints.double()
    feet = _foot_rotations(joints)
    joints = joints[:, : len(HUMAN36M)]
    segments = _segment_rotations(rig, joints) | feet
    places = _places(rig, joints, segments)
    scale = float(_scale(symmetric_bone_lengths(joints)))
    tpose = torch.stack([_place(node.place, places) + scale * _vector(node.offset) for node in rig.nodes])
    turns = torch.stack([_rest_rotation(rig, node.segment) for node in rig.nodes])
    bases = _bone_axes(rig, tpose) if axes == "bone" else turns.mT
    identity = torch.eye(3, dtype=torch.float64).expand(len(joints), 3, 3)
    moving = torch.stack([segments.get(node.segment, identity) for node in rig.nodes], dim=1)
    from_parent = [tpose[i] - tpose[p] if p >= 0 else tpose[i] for i, p in enumerate(rig.parents)]
    offsets = [
        bases[p].T @ vector if p >= 0 else vector for p, vector in zip(rig.parents, from_parent, strict=True)
    ]
    mover = rig.mover
    positions = _root_joint(rig, joints)
    if rig.lumbar_height is not None:
        positions = positions + segments["hips"] @ (tpose[mover] - places["hips"])
    return PosedRig(
        rig=rig,
        tpose=tpose,
        places=places,
        scale=scale,
        offsets=torch.stack(offsets),
        rest=_relative(rig, turns @ bases),
        rotations=_relative(rig, moving @ bases),
        positions=positions,
        bind=turns,
    )


def _vector(values: tuple[float, float, float]) -> Float[Tensor, " 3"]:
    return torch.tensor(values, dtype=torch.float64)


def _relative(rig: Rig, world: Float[Tensor, "*batch nodes 3 3"]) -> Float[Tensor, "*batch nodes 3 3"]:
    """Rotations relative to the parents from those in the world."""
    parents = [world[..., p, :, :] if p >= 0 else torch.eye(3).to(world) for p in rig.parents]
    return torch.stack(torch.broadcast_tensors(*parents), dim=-3).mT @ world


def _joint(joints: Float[Tensor, "*batch 17 3"], name: str) -> Float[Tensor, "*batch 3"]:
    return joints[..., HUMAN36M.names.index(name), :]


def _middle_of_hips(joints: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch 3"]:
    return (_joint(joints, "left_hip") + _joint(joints, "right_hip")) / 2


def _root_joint(rig: Rig, joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames 3"]:
    """The place that the rig keeps in every frame."""
    return _joint(joints, "pelvis") if rig.lumbar_height is None else _middle_of_hips(joints)


def _scale(lengths: Float[Tensor, " bones"]) -> Float[Tensor, ""]:
    """Length of a leg, as a share of that of a person 1.75 m tall."""
    leg = sum(lengths[HUMAN36M.bone_names.index(f"left_{joint}")] for joint in ("knee", "ankle"))
    return torch.as_tensor(leg / (BODY["knee"] + BODY["ankle"]))


def _segment_rotations(
    rig: Rig, joints: Float[Tensor, "frames 17 3"]
) -> dict[str, Float[Tensor, "frames 3 3"]]:
    """Rotation of each segment from the T-pose, by name."""
    world = world_rotations(joints)
    segments = {node.name: world[:, index] for index, node in enumerate(NODES)}
    if rig.lumbar_height is not None:
        segments["hips"] = _hip_rotations(joints, segments["pelvis"])
        up = segments["hips"][..., 1]
        lumbar = normalize(_lumbar_bones(rig, joints, segments["hips"]), dim=-1)
        segments["lumbar"] = minimal_rotation(up, lumbar) @ segments["hips"]
    return segments


_REST_FOOT = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))
"""Axes of a foot in the T-pose, which stands on the floor: forward, up and to the right."""


def _foot_rotations(joints: Float[Tensor, "frames joints 3"]) -> dict[str, Float[Tensor, "frames 3 3"]]:
    """Rotations of the feet from the T-pose; none if the joints have no feet."""
    skeleton = skeleton_of(joints.shape[1])
    if len(skeleton) == len(HUMAN36M):
        return {}
    points = dict(zip(skeleton.names, joints.unbind(1), strict=True))
    rest = joints.new_tensor(_REST_FOOT)
    return {
        f"{side}_ankle": foot_axes(*(points[f"{side}_{point}"] for point in ("ankle", *FOOT_POINTS))).mT
        @ rest
        for side in SIDES
    }


def _hip_rotations(
    joints: Float[Tensor, "frames 17 3"], pelvis: Float[Tensor, "frames 3 3"]
) -> Float[Tensor, "frames 3 3"]:
    """Rotation of a rigid pelvis: its x axis is the line between the hips, and its front that of ``pelvis``,
    whose y axis goes up the spine."""
    across = _joint(joints, "left_hip") - _joint(joints, "right_hip")
    x = torch.where(across.norm(dim=-1, keepdim=True) > 1e-9, normalize(across, dim=-1), pelvis[..., 0])
    return minimal_rotation(pelvis[..., 0], x) @ pelvis


def _lumbar_bones(
    rig: Rig, joints: Float[Tensor, "frames 17 3"], hips: Float[Tensor, "frames 3 3"]
) -> Float[Tensor, "frames 3"]:
    """From the lowest point of the spine, which the pelvis carries, to the spine joint."""
    assert rig.lumbar_height is not None
    height = rig.lumbar_height * _scale(symmetric_bone_lengths(joints))
    return _joint(joints, "spine") - _middle_of_hips(joints) - height * hips[..., 1]


_SKULL_BASE = (0.0, -0.025, -0.070)
"""From the nose to the base of the skull, where the head turns on the neck: metres, person 1.75 m tall."""


def _places(
    rig: Rig, joints: Float[Tensor, "frames 17 3"], segments: dict[str, Float[Tensor, "frames 3 3"]]
) -> dict[str, Float[Tensor, " 3"]]:
    """Positions of places in the T-pose by name, with the soles on the floor and the hips at x = z = 0."""
    lengths = symmetric_bone_lengths(joints)
    scale = _scale(lengths)
    bones = lengths.unsqueeze(-1) * rest_directions()
    tpose = sum_bones(torch.cat((bones.new_zeros(1, 3), bones)), HUMAN36M.parents)
    spine = HUMAN36M.names.index("spine")
    places = {"lumbar": torch.zeros(3, dtype=torch.float64)}
    if rig.lumbar_height is not None:
        tpose = _with_rigid_pelvis(joints, tpose)
        places["lumbar"] = _vector((0.0, rig.lumbar_height, 0.0)) * scale
        height = places["lumbar"][1] + _lumbar_bones(rig, joints, segments["hips"]).norm(dim=-1).median()
        above = [spine, *(i for i in range(len(tpose)) if _is_above(i, spine))]
        tpose[above, 1] += height - tpose[spine, 1]
    places["hips"] = torch.zeros(3, dtype=torch.float64)
    places |= dict(zip(HUMAN36M.names, tpose, strict=True))
    places["skull"] = places["nose"] + scale * _vector(_SKULL_BASE)
    floor = _vector((0.0, 1.0, 0.0)) * (places["left_ankle"][1] - scale * ANKLE_HEIGHT)
    return {name: place - floor for name, place in places.items()}


def _is_above(joint: int, ancestor: int) -> bool:
    parent = HUMAN36M.parents[joint]
    return parent == ancestor or (parent >= 0 and _is_above(parent, ancestor))


def _with_rigid_pelvis(
    joints: Float[Tensor, "frames 17 3"], tpose: Float[Tensor, "17 3"]
) -> Float[Tensor, "17 3"]:
    """The T-pose with its legs as far apart as the hips are."""
    width = (_joint(joints, "left_hip") - _joint(joints, "right_hip")).norm(dim=-1).median()
    tpose = tpose.clone()
    for name, x in (("left", width / 2), ("right", -width / 2)):
        leg = [HUMAN36M.names.index(f"{name}_{joint}") for joint in ("hip", "knee", "ankle")]
        tpose[leg, 0] = x
    return tpose


def _place(shares: Mapping[str, float], places: dict[str, Float[Tensor, " 3"]]) -> Float[Tensor, " 3"]:
    """The point that has these shares of places; the origin, on the floor, without any."""
    return sum((share * places[name] for name, share in shares.items()), _vector((0.0, 0.0, 0.0)))


_ARM = ("shoulder", "elbow", "wrist")


def _rest_rotation(rig: Rig, segment: str) -> Float[Tensor, "3 3"]:
    """Rotation of a segment from the T-pose to the rest pose: its arms hang by ``rig.arms_down``."""
    side, _, joint = segment.partition("_")
    if joint not in _ARM:
        return torch.eye(3, dtype=torch.float64)
    angle = -rig.arms_down if side == "left" else rig.arms_down
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _bone_axes(rig: Rig, tpose: Float[Tensor, "nodes 3"]) -> Float[Tensor, "nodes 3 3"]:
    """Axes of the bones in the T-pose, as columns: y along the bone, and z as near as can be to the front
    (trunk, head and legs), upward (feet) or downward (arms)."""
    axes: list[Tensor] = []
    for index, (node, parent) in enumerate(zip(rig.nodes, rig.parents, strict=True)):
        children = (tpose[i] - tpose[index] for i, p in enumerate(rig.parents) if p == index)
        bone = next((child for child in children if float(child.norm()) > 1e-6), None)
        if bone is None:  # the last node of a chain goes on as the one before it
            axes.append(axes[parent])
            continue
        joint = node.segment.partition("_")[2]
        y = normalize(bone, dim=-1)
        wanted = {"ankle": (0.0, 1.0, 0.0)} | dict.fromkeys((*_ARM, "collar"), (0.0, -1.0, 0.0))
        z = _vector(wanted.get(joint, (0.0, 0.0, 1.0)))
        z = normalize(z - (z @ y) * y, dim=-1)
        axes.append(torch.stack([y.cross(z, dim=-1), y, z], dim=-1))
    return torch.stack(axes)
