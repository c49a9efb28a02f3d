"""Forward kinematics: rotations and offsets composed down a tree of joints.

A tree is given by ``parents``: the index of each joint's parent, an earlier joint, and -1 for a root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor


def forward_kinematics(
    rotations: Float[Tensor, "*batch joints 3 3"],
    offsets: Float[Tensor, "*#batch joints 3"],
    parents: Sequence[int],
    *,
    rotates: Literal["from_joint", "to_joint"] = "from_joint",
) -> tuple[Float[Tensor, "*batch joints 3"], Float[Tensor, "*batch joints 3 3"]]:
    """Positions of joints, and their rotations in the world.

    A joint's world rotation is ``G[joint] = G[parent] @ rotations[joint]``, and its position is
    ``p[joint] = p[parent] + G[parent] @ offsets[joint]``, as BVH, glTF and SMPL have it. With
    ``rotates="to_joint"`` a rotation belongs to the bone that ends at the joint, as in ASF/AMC:
    ``p[joint] = p[parent] + G[joint] @ offsets[joint]``.

    Args:
        rotations: of each joint relative to its parent; a root's is relative to the world.
        offsets: of each joint from its parent at rest; a root's is its position. In any unit.
        parents: index of the parent of each joint.
        rotates: whether a joint's rotation applies to the bones that begin there, or to the bone that ends
            there.
    """
    world = compose_rotations(rotations, parents)
    bones = []
    for joint, parent in enumerate(parents):
        offset = offsets[..., joint, :]
        rotation = world[..., parent if rotates == "from_joint" else joint, :, :]
        bones.append((rotation @ offset.unsqueeze(-1))[..., 0] if parent >= 0 else offset)
    return sum_bones(torch.stack(torch.broadcast_tensors(*bones), dim=-2), parents), world


def compose_rotations(
    rotations: Float[Tensor, "*batch joints 3 3"], parents: Sequence[int]
) -> Float[Tensor, "*batch joints 3 3"]:
    """Rotations in the world from rotations relative to the parents: ``G[joint] = G[parent] @ R[joint]``."""
    world: list[Tensor] = []
    for joint, parent in enumerate(parents):
        own = rotations[..., joint, :, :]
        world.append(own if parent < 0 else world[parent] @ own)
    return torch.stack(world, dim=-3)


def sum_bones(
    bones: Float[Tensor, "*batch joints 3"], parents: Sequence[int]
) -> Float[Tensor, "*batch joints 3"]:
    """Positions of joints from the vectors of the bones to them, in their unit; a root's is its position."""
    positions: list[Tensor] = []
    for joint, parent in enumerate(parents):
        bone = bones[..., joint, :]
        positions.append(bone if parent < 0 else positions[parent] + bone)
    return torch.stack(positions, dim=-2)
