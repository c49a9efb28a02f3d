"""BVH: a skeleton of rigid bones and its rotations over time, as text (centimetres, y up)."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.export.posing import PosedRig, pose_rig
from spgnet.export.rigs import RIGS, RigName
from spgnet.export.sampling import constant_rate, format_rows, frame_rate, z_up_to_y_up
from spgnet.lifting.motion import Motion

_GIMBAL_LOCK = 1e-6
"""Cosine of the second angle below which the other two cannot be told apart."""


def zxy_euler_angles(rotations: Float[Tensor, "frames nodes 3 3"]) -> Float[Tensor, "frames nodes 3"]:
    """Euler angles (z, x, y) in radians with R = Rz(z) Rx(x) Ry(y), as near as can be to the frame before.

    Of the two triples of a rotation the one nearer to that of the frame before is taken, and full turns are
    added. In gimbal lock, where x is a right angle and only z + y or z - y matters, z stays as it was.
    """
    z, x = _first_angles(rotations)
    # What is left of R after Rz(z), whatever z is, has (cos y, 0, sin y) as its first row.
    cos, sin = z.cos(), z.sin()
    y = torch.atan2(
        cos * rotations[..., 0, 2] + sin * rotations[..., 1, 2],
        cos * rotations[..., 0, 0] + sin * rotations[..., 1, 0],
    )
    one = torch.stack([z, x, y], dim=-1)
    other = torch.stack([z + math.pi, math.pi - x, y + math.pi], dim=-1)
    nearer = torch.where(_other_continues(one, other).unsqueeze(-1), other, one)
    return torch.from_numpy(np.unwrap(nearer.numpy(), axis=0))


def _first_angles(
    rotations: Float[Tensor, "frames nodes 3 3"],
) -> tuple[Float[Tensor, "frames nodes"], Float[Tensor, "frames nodes"]]:
    """The angles z and x of one of the two triples."""
    cos_x = torch.hypot(rotations[..., 0, 1], rotations[..., 1, 1])
    x = torch.atan2(rotations[..., 2, 1], cos_x)
    z = torch.atan2(-rotations[..., 0, 1], rotations[..., 1, 1])
    return _hold(z, cos_x < _GIMBAL_LOCK), x


def _hold(
    values: Float[Tensor, "frames nodes"], locked: Bool[Tensor, "frames nodes"]
) -> Float[Tensor, "frames nodes"]:
    """Values, but where they are locked those of the last frame in which they are not; 0 if there is none."""
    frames = torch.arange(len(values)).unsqueeze(-1).expand_as(values)
    last = torch.where(locked, -1, frames).cummax(dim=0).values
    return torch.where(last >= 0, values.gather(0, last.clamp_min(0)), 0.0)


def _other_continues(
    one: Float[Tensor, "frames nodes 3"], other: Float[Tensor, "frames nodes 3"]
) -> Bool[Tensor, "frames nodes"]:
    """For each frame, whether the other triple is the one that continues the first frame's.

    Two frames that both change their triples are as far apart as before, so each step can be judged alone.
    """
    stays, changes = _distance(one[1:], one[:-1]), _distance(other[1:], one[:-1])
    crossings = (changes < stays - 1e-9).int().cumsum(dim=0)
    start = torch.zeros_like(one[:1, ..., 0], dtype=torch.bool)
    return torch.cat([start, crossings % 2 == 1])


def _distance(
    after: Float[Tensor, "steps nodes 3"], before: Float[Tensor, "steps nodes 3"]
) -> Float[Tensor, "steps nodes"]:
    """Sum of the angles between triples, full turns aside."""
    return torch.remainder(after - before + math.pi, 2 * math.pi).sub(math.pi).abs().sum(dim=-1)


CENTIMETRES = 100.0


def bvh_text(motion: Motion, rig: RigName = "spgnet") -> str:
    """The content of a BVH file.

    Bones get the clip's median lengths, alike on the left and right; every bone keeps its direction in
    every frame, and the pelvis (with a rigid pelvis the middle between the hips) its place. A rig's root on
    the floor is left out: the root of a BVH file is what moves.
    """
    fps = frame_rate([motion])
    joints = torch.from_numpy(z_up_to_y_up(constant_rate([motion], fps)[0]))
    posed = pose_rig(RIGS[rig], joints, "world")
    nodes = posed.rig.nodes
    turning = [index for index in range(posed.rig.mover, len(nodes)) if not nodes[index].end]
    angles = zxy_euler_angles(posed.rotations[:, turning]).rad2deg().flatten(1).numpy()
    root = CENTIMETRES * posed.positions.numpy()
    header = f"MOTION\nFrames: {len(joints)}\nFrame Time: {1 / fps!r}\n"
    formats = ["%.5f"] * (3 + 3 * len(turning))
    return _hierarchy(posed) + header + format_rows(np.concatenate([root, angles], axis=1), formats, " ")


def _hierarchy(posed: PosedRig) -> str:
    return "HIERARCHY\n" + "\n".join(_block(posed, posed.rig.mover)) + "\n"


def _block(posed: PosedRig, index: int) -> list[str]:
    """The lines of a node and of all its descendants, in the order of the rig's nodes."""
    node, root = posed.rig.nodes[index], index == posed.rig.mover
    # Some programs add a root's offset to its position and some do not: there is none.
    inner = [_offset(CENTIMETRES * posed.offsets[index] * (0 if root else 1))]
    if not node.end:
        position = "6 Xposition Yposition Zposition" if root else "3"
        inner.append(f"CHANNELS {position} Zrotation Xrotation Yrotation")
    for child in (i for i, parent in enumerate(posed.rig.parents) if parent == index):
        inner += _block(posed, child)
    kind = "End Site" if node.end else f"{'ROOT' if root else 'JOINT'} {node.name}"
    return [kind, "{", *(f"\t{line}" for line in inner), "}"]


def _offset(vector: Float[Tensor, " 3"]) -> str:
    return "OFFSET {:.5f} {:.5f} {:.5f}".format(*(vector + 0.0).tolist())
