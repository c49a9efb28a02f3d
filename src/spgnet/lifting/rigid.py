"""Bones that keep their length: typical lengths over a clip, and the motion fitted to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.lifting.motion import Motion
from spgnet.skeleton import HUMAN36M

SWEEPS = 20
DEPTH_WEIGHT = 0.5
"""What a squared displacement along the viewing ray costs, in terms of one across it."""
_LEAST_TRUST = 0.05
"""Weight of a joint that the detector did not see."""


def typical_bone_lengths(motion: Motion) -> Float[np.ndarray, " 16"]:
    """The length of each bone in metres: its median over the clip, weighted by confidence.

    A bone and its twin on the other side get one length, the median over both.
    """
    joints, trust = _tensors(motion)
    parents, children = zip(*HUMAN36M.bones, strict=True)
    lengths = HUMAN36M.bone_lengths(joints)
    weights = trust[:, parents] * trust[:, children]
    twins = [HUMAN36M.mirror[child] - 1 for child in children]
    medians = [
        _weighted_median(lengths[:, [bone, twin]].flatten(), weights[:, [bone, twin]].flatten())
        for bone, twin in enumerate(twins)
    ]
    return torch.stack(medians).numpy()


def typical_distance(motion: Motion, one: str, other: str) -> float:
    """The distance of two joints in metres: its median over the clip, weighted by confidence."""
    joints, trust = _tensors(motion)
    first, second = HUMAN36M.names.index(one), HUMAN36M.names.index(other)
    distances = (joints[:, first] - joints[:, second]).norm(dim=-1)
    return float(_weighted_median(distances, trust[:, first] * trust[:, second]))


def make_rigid(motion: Motion) -> Motion:
    """The motion with constant bone lengths, as near to the given joints as they allow.

    Lengths are those of :func:`typical_bone_lengths`. Each frame is then a least-squares fit of bone
    directions, and of the root's distance along its viewing ray, to the given joints. Joints count by their
    confidence, and displacement along the viewing ray, where lifted joints are least certain, counts less
    than across it. The fit goes round the bones and turns each in closed form, so that the lengths hold
    exactly throughout. The root's re-projection is kept.

    Returns:
        The motion with other joints; all else is the same.
    """
    target, trust = _tensors(motion)
    lengths = torch.from_numpy(typical_bone_lengths(motion))
    joints = _fit(target, trust, lengths)
    return replace(motion, joints=joints.numpy().astype(np.float32))


def _fit(
    target: Float[Tensor, "frames 17 3"], trust: Float[Tensor, "frames 17"], lengths: Float[Tensor, " 16"]
) -> Float[Tensor, "frames 17 3"]:
    """Block coordinate descent on the weighted squared displacement, one bone of all frames at a time.

    The cost of a displacement d is |d|^2 - (1 - DEPTH_WEIGHT) (d . ray)^2. Before each sweep it is
    replaced by the isotropic cost of the displacement from ``pull``, which nowhere lies below it and
    touches it at the present joints, so that every step lowers the true cost.
    """
    rays = torch.nn.functional.normalize(target, dim=-1)
    joints = HUMAN36M.with_bone_lengths(target, lengths)
    below = [_descendants(child) for _, child in HUMAN36M.bones]
    for _ in range(SWEEPS):
        off = joints - target
        pull = target + (1 - DEPTH_WEIGHT) * (off * rays).sum(dim=-1, keepdim=True) * rays
        shift = (trust[..., None] * (pull - joints)).sum(dim=1) / trust.sum(dim=1, keepdim=True)
        along = (shift * rays[:, 0]).sum(dim=-1, keepdim=True) * rays[:, 0]
        joints = joints + along[:, None]
        for (parent, child), moved in zip(HUMAN36M.bones, below, strict=True):
            bone = joints[:, child] - joints[:, parent]
            wanted = (trust[:, moved, None] * (pull[:, moved] - joints[:, moved] + bone[:, None])).sum(dim=1)
            turned = torch.nn.functional.normalize(wanted, dim=-1) * lengths[child - 1]
            joints[:, moved] += (turned - bone)[:, None]
    return HUMAN36M.with_bone_lengths(joints, lengths)


def _descendants(joint: int) -> list[int]:
    """A joint and all that hang on it."""
    moved = [joint]
    for parent, child in HUMAN36M.bones:
        if parent in moved:
            moved.append(child)
    return moved


def _tensors(motion: Motion) -> tuple[Float[Tensor, "frames 17 3"], Float[Tensor, "frames 17"]]:
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    return joints, torch.from_numpy(motion.confidence.astype(np.float64)).clamp_min(_LEAST_TRUST)


def _weighted_median(values: Float[Tensor, " n"], weights: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    values, order = values.sort()
    share = weights[order].cumsum(dim=0) / weights.sum()
    return values[int(torch.searchsorted(share, 0.5))]
