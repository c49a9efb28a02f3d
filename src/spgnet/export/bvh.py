"""BVH: a skeleton of rigid bones and its rotations over time, as text (centimetres, y up)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.export.armature import NODES, PARENTS, node_offsets, steady_lengths
from spgnet.export.axes import z_up_to_y_up
from spgnet.export.euler import zxy_angles
from spgnet.export.rotations import joint_rotations
from spgnet.export.sampling import constant_rate, frame_rate
from spgnet.export.text import rows
from spgnet.lifting.motion import Motion

CENTIMETRES = 100.0
STUB = 0.2
"""Length of an end site, as a share of the bone before it: it only gives the last bone an end."""


def bvh_text(motion: Motion) -> str:
    """The whole file.

    Bones get the clip's median lengths, alike on the left and right; every bone keeps its direction in
    every frame, and the pelvis its place.
    """
    fps = frame_rate([motion])
    world = constant_rate([motion], fps)[0]
    joints = torch.from_numpy(z_up_to_y_up(world))
    offsets = CENTIMETRES * node_offsets(steady_lengths(joints))
    root = CENTIMETRES * joints[:, 0].numpy()
    angles = zxy_angles(joint_rotations(joints)).rad2deg().flatten(1).numpy()
    header = f"MOTION\nFrames: {len(joints)}\nFrame Time: {1 / fps:.8f}\n"
    formats = ["%.5f"] * (3 + 3 * len(NODES))
    return _hierarchy(offsets) + header + rows(np.concatenate([root, angles], axis=1), formats, " ")


def _hierarchy(offsets: Float[Tensor, "nodes 3"]) -> str:
    return "HIERARCHY\n" + "\n".join(_block(0, offsets)) + "\n"


def _block(index: int, offsets: Float[Tensor, "nodes 3"]) -> list[str]:
    """The lines of a node and of all below it."""
    node, root = NODES[index], PARENTS[index] < 0
    position = "6 Xposition Yposition Zposition" if root else "3"
    inner = [_offset(offsets[index]), f"CHANNELS {position} Zrotation Xrotation Yrotation"]
    for child in (i for i, parent in enumerate(PARENTS) if parent == index):
        inner += _block(child, offsets)
    if not node.end:
        inner += ["End Site", "{", "\t" + _offset(STUB * offsets[index]), "}"]
    return [f"{'ROOT' if root else 'JOINT'} {node.name}", "{", *(f"\t{line}" for line in inner), "}"]


def _offset(vector: Float[Tensor, " 3"]) -> str:
    return "OFFSET {:.5f} {:.5f} {:.5f}".format(*(vector + 0.0).tolist())
