"""Lengths of a motion's bones: their medians, constant ones, and the person's height."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.errors import InputError
from spgnet.geometry.skeleton import HUMAN36M
from spgnet.lifting.motion import Motion

SWEEPS = 20
"""Iterations over all bones of :func:`fit_constant_bones`."""
DEPTH_WEIGHT = 0.5
"""Cost of a squared displacement along the viewing ray, relative to one perpendicular to it."""
_MIN_JOINT_WEIGHT = 0.05
"""Weight of a joint that is not visible."""
ANKLE_SHARE = 0.039
"""Height of the ankle joint above the sole, as a fraction of the standing height (Winter, Biomechanics and
Motor Control of Human Movement)."""


def median_bone_lengths(motion: Motion) -> Float[np.ndarray, " 16"]:
    """Length of each bone in metres: the median over the clip, weighted by confidence.

    A bone and its counterpart on the other side get the same length, the median over both.
    """
    joints, joint_weights = _tensors(motion.without_feet())
    parents, children = zip(*HUMAN36M.bones, strict=True)
    lengths = HUMAN36M.bone_lengths(joints)
    weights = joint_weights[:, parents] * joint_weights[:, children]
    twins = [HUMAN36M.mirror[child] - 1 for child in children]
    medians = [
        _weighted_median(lengths[:, [bone, twin]].flatten(), weights[:, [bone, twin]].flatten())
        for bone, twin in enumerate(twins)
    ]
    return torch.stack(medians).numpy()


def median_distance(motion: Motion, one: str, other: str) -> float:
    """Distance between two joints in metres: the median over the clip, weighted by confidence."""
    joints, joint_weights = _tensors(motion)
    first, second = HUMAN36M.names.index(one), HUMAN36M.names.index(other)
    distances = (joints[:, first] - joints[:, second]).norm(dim=-1)
    return float(_weighted_median(distances, joint_weights[:, first] * joint_weights[:, second]))


def fit_constant_bones(motion: Motion) -> Motion:
    """Fit a motion with constant bone lengths to a motion.

    The lengths are those of :func:`median_bone_lengths`. In each frame, the bone directions and the root's
    distance along its viewing ray are fitted to the given joints by least squares. Joints are weighted by
    confidence, and displacements along the viewing ray, where lifted joints are least certain, less than
    those perpendicular to it. Each step rotates one bone in closed form, so that the lengths are exact
    throughout. The root's re-projection does not change.

    Returns:
        The motion with the fitted joints, without feet, otherwise unchanged.
    """
    motion = motion.without_feet()
    target, joint_weights = _tensors(motion)
    lengths = torch.from_numpy(median_bone_lengths(motion))
    joints = _fit(target, joint_weights, lengths)
    return replace(motion, joints=joints.numpy().astype(np.float32))


def _fit(
    target: Float[Tensor, "frames 17 3"],
    weights: Float[Tensor, "frames 17"],
    lengths: Float[Tensor, " 16"],
) -> Float[Tensor, "frames 17 3"]:
    """Minimise the weighted squared displacement by block coordinate descent, bone by bone in all frames.

    The cost of a displacement d is |d|^2 - (1 - DEPTH_WEIGHT) (d . ray)^2. Before each sweep it is replaced
    by the isotropic cost of the displacement from ``pull``. Up to a constant, that is an upper bound that
    equals the cost at the current joints, so that every step lowers the cost (majorisation-minimisation).
    """
    rays = torch.nn.functional.normalize(target, dim=-1)
    joints = HUMAN36M.with_bone_lengths(target, lengths)
    below = [_descendants(child) for _, child in HUMAN36M.bones]
    for _ in range(SWEEPS):
        off = joints - target
        pull = target + (1 - DEPTH_WEIGHT) * (off * rays).sum(dim=-1, keepdim=True) * rays
        shift = (weights[..., None] * (pull - joints)).sum(dim=1) / weights.sum(dim=1, keepdim=True)
        along = (shift * rays[:, 0]).sum(dim=-1, keepdim=True) * rays[:, 0]
        joints = joints + along[:, None]
        for (parent, child), moved in zip(HUMAN36M.bones, below, strict=True):
            bone = joints[:, child] - joints[:, parent]
            target_bone = pull[:, moved] - joints[:, moved] + bone[:, None]
            wanted = (weights[:, moved, None] * target_bone).sum(dim=1)
            turned = torch.nn.functional.normalize(wanted, dim=-1) * lengths[child - 1]
            joints[:, moved] += (turned - bone)[:, None]
    return HUMAN36M.with_bone_lengths(joints, lengths)


def _descendants(joint: int) -> list[int]:
    """A joint and all its descendants in the skeleton."""
    moved = [joint]
    for parent, child in HUMAN36M.bones:
        if parent in moved:
            moved.append(child)
    return moved


def _tensors(motion: Motion) -> tuple[Float[Tensor, "frames 17 3"], Float[Tensor, "frames 17"]]:
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    return joints, torch.from_numpy(motion.confidence.astype(np.float64)).clamp_min(_MIN_JOINT_WEIGHT)


def _weighted_median(values: Float[Tensor, " n"], weights: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    values, order = values.sort()
    share = weights[order].cumsum(dim=0) / weights.sum()
    return values[int(torch.searchsorted(share, 0.5))]


def estimate_height(motion: Motion) -> float:
    """Estimate the person's standing height in metres from the joints.

    It is the sum of the median lengths, weighted by confidence, of shank, thigh, lower and upper trunk, and
    of the distance from the base of the neck to the vertex (``head_top``), plus the height of the ankle
    above the sole, which is 3.9 % of the standing height. The person need not stand in any frame.
    """
    lengths = dict(zip(HUMAN36M.bone_names, median_bone_lengths(motion).tolist(), strict=True))
    head = median_distance(motion, "thorax", "head_top")
    bones = ("left_ankle", "left_knee", "spine", "thorax")
    return (sum(lengths[bone] for bone in bones) + head) / (1 - ANKLE_SHARE)


def scale_to_height(motion: Motion, height: float) -> Motion:
    """Scale a motion, pose and trajectory, about the camera so that the person has a known height.

    Every joint stays on its viewing ray, so that the re-projection does not change. The uncertainty
    is scaled by the same factor. The camera's extrinsics do not change either, so align the motion to
    gravity, or place it on the floor, after scaling.

    Args:
        motion: the motion, whose current height is :func:`estimate_height`.
        height: the person's standing height in metres, without shoes.

    Raises:
        InputError: the height is not between 0.5 and 2.5 metres.
    """
    check_height(height)
    factor = np.float32(height / estimate_height(motion))
    uncertainty = None if motion.uncertainty is None else motion.uncertainty * factor
    return replace(motion, joints=motion.joints * factor, uncertainty=uncertainty)


def check_height(height: float) -> None:
    """Validate a person's height in metres.

    Raises:
        InputError: it is not between 0.5 and 2.5 metres, for example because it is in centimetres.
    """
    if not 0.5 <= height <= 2.5:
        raise InputError(f"a person's height must be between 0.5 and 2.5 metres, got {height:g}")
