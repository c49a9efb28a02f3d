"""Self-occlusion: which joints a camera cannot see because the person's own body is in front of them.

The body is a set of capsules, one around each bone. A joint is hidden where the line of sight to it passes
through the capsule of a bone that does not meet the joint's own bones, nearer to the camera than the joint:
the place where the line comes closest to the bone is more than the capsule's radius before the joint. So a
joint that touches a limb from behind, or lies within its capsule, is not hidden by it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.geometry.skeleton import HUMAN36M

RADII = {
    "hip": 0.08,
    "knee": 0.075,
    "ankle": 0.05,
    "spine": 0.12,
    "thorax": 0.13,
    "nose": 0.06,
    "head_top": 0.09,
    "shoulder": 0.06,
    "elbow": 0.045,
    "wrist": 0.04,
}
"""Radius of the capsule around each bone in metres, by the kind of the joint at the bone's far end: rough
sizes of an adult, about half the breadth of the limb; the trunk's are between its depth and its breadth."""


def hidden_joints(joints: Float[Tensor, "*batch 17 3"]) -> Bool[Tensor, "*batch 17"]:
    """Which joints of poses in the camera frame (metres) are hidden behind the person's own body."""
    parents, children = (list(ends) for ends in zip(*HUMAN36M.bones, strict=True))
    radii = joints.new_tensor([RADII[HUMAN36M.joint_types[child]] for child in children])
    start = joints[..., None, parents, :]
    along = joints[..., None, children, :] - start
    sight = joints[..., :, None, :]
    on_sight, on_bone = _closest(sight, start, along)
    gap = (on_sight[..., None] * sight - (start + on_bone[..., None] * along)).norm(dim=-1)
    nearer = (1 - on_sight) * sight.norm(dim=-1) > radii
    covered = (gap < radii) & nearer & _apart(joints.device)
    return covered.any(dim=-1)


def _closest(sight: Tensor, start: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """Where the segments from the origin to ``sight`` and from ``start`` along ``along`` come closest.

    Returns:
        For each pair the place on the first and on the second, between 0 and 1.
    """
    a, e, b = sight.square().sum(-1), along.square().sum(-1).clamp_min(1e-12), (sight * along).sum(-1)
    c, f = -(sight * start).sum(-1), -(along * start).sum(-1)
    parallel = (a * e - b * b).clamp_min(1e-12)
    first = ((b * f - c * e) / parallel).clamp(0, 1)
    second = ((b * first + f) / e).clamp(0, 1)
    return ((b * second - c) / a).clamp(0, 1), second


def _apart(device: torch.device) -> Bool[Tensor, "17 bones"]:
    """Which bones are neither a joint's own nor meet one of its own."""
    own = [{bone for bone, ends in enumerate(HUMAN36M.bones) if joint in ends} for joint in range(17)]
    reach = [{end for bone in bones for end in HUMAN36M.bones[bone]} for bones in own]
    rows = [[not reach[joint] & set(ends) for ends in HUMAN36M.bones] for joint in range(17)]
    return torch.tensor(rows, device=device)
