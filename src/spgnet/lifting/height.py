"""The person's height: estimated from the joints, and motion scaled to a known one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spgnet.lifting.motion import Motion
from spgnet.lifting.rigid import typical_bone_lengths, typical_distance
from spgnet.skeleton import HUMAN36M

ANKLE_SHARE = 0.039
"""Height of the ankle joint above the sole, as a share of stature (Winter, Biomechanics and Motor Control of
Human Movement)."""


def stature(motion: Motion) -> float:
    """The person's standing height in metres, as the joints have it.

    The sum of the median lengths, weighted by confidence, of shank, thigh, lower and upper trunk and of the
    stretch from the base of the neck to the vertex (``head_top``), plus the height of the ankle above the
    sole, which is 3.9 % of the whole. The pose does not matter: the person need not stand anywhere in the
    clip.
    """
    lengths = dict(zip(HUMAN36M.bone_names, typical_bone_lengths(motion).tolist(), strict=True))
    head = typical_distance(motion, "thorax", "head_top")
    bones = ("left_ankle", "left_knee", "spine", "thorax")
    return (sum(lengths[bone] for bone in bones) + head) / (1 - ANKLE_SHARE)


def scale_to_height(motion: Motion, height: float) -> Motion:
    """The whole motion, pose and trajectory, scaled about the camera so that the person has a known height.

    Every joint stays on its viewing ray, so that the re-projection does not change. The camera's place in
    the world does not either: level the motion, or place it on the floor, after scaling it, not before.

    Args:
        motion: the motion; its own estimate of the height is :func:`stature`.
        height: the person's standing height in metres, without shoes.

    Raises:
        ValueError: the height is not between 0.5 and 2.5 metres.
    """
    check_height(height)
    factor = np.float32(height / stature(motion))
    return replace(motion, joints=motion.joints * factor)


def check_height(height: float) -> None:
    """Raises ValueError for a height that nobody has, such as one in centimetres."""
    if not 0.5 <= height <= 2.5:
        raise ValueError(f"a person's height must be between 0.5 and 2.5 metres, got {height:g}")
