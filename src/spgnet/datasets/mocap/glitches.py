"""What is no motion in files of motion: poses that converters put before it, and jumps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from spgnet.geometry.motion_clip import MotionClip
from spgnet.geometry.skeleton import HUMAN36M

LONGEST_BLEND = 10
"""Frames that a blend from the rest pose to the motion takes at most."""
FASTEST = 40.0
"""Metres per second that no joint of a person exceeds, and half of which the pelvis does not."""

_THORAX = HUMAN36M.names.index("thorax")
_ARMS = [
    [HUMAN36M.names.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")]
    for side in ("left", "right")
]


def lead_in_frames(joints: Float[np.ndarray, "frames 17 3"]) -> int:
    """How many frames at the start are to be left out, since they are no motion.

    - One, if it is a pose to itself: the joints then jump by over 3 cm on average, ten times as far as in the
      median frame.
    - Up to ten, if they lead from a T-pose to the motion: elbows and wrists then move in even steps of at
      least 2 cm on average, twice as far as in the median frame, and stop or slow down at once. Somebody who
      lowers their arms speeds up and slows down instead.

    Args:
        joints: metres.
    """
    if len(joints) < 3:
        return 0
    steps = np.linalg.norm(np.diff(joints - joints[:, :1], axis=0), axis=-1).mean(axis=1)
    single = int(steps[0] > max(0.03, 10 * float(np.median(steps[1:]))))
    return max(single, _blend_frames(joints))


def _blend_frames(joints: Float[np.ndarray, "frames 17 3"]) -> int:
    """How many frames lead from a T-pose to the motion."""
    if len(joints) <= 2 * LONGEST_BLEND or not _is_t_pose(joints[0]):
        return 0
    hands = joints[:, [joint for arm in _ARMS for joint in arm[1:]]] - joints[:, _THORAX, None]
    steps = np.linalg.norm(np.diff(hands, axis=0), axis=-1).mean(axis=1)
    fast = steps > max(0.02, 2 * float(np.median(steps[LONGEST_BLEND:])))
    count = int(np.argmin(fast)) if not fast.all() else 0
    if not 2 <= count <= LONGEST_BLEND:
        return 0
    blend = steps[:count]
    even = blend.max() < 2 * blend.min()
    return count if even and steps[count] < 0.6 * blend.min() else 0


def _is_t_pose(joints: Float[np.ndarray, "17 3"]) -> bool:
    """Whether both arms are straight and in line with the shoulders."""
    across = joints[_ARMS[0][0]] - joints[_ARMS[1][0]]
    across = across / max(np.linalg.norm(across), 1e-9)
    for arm, sign in zip(_ARMS, (1, -1), strict=True):
        for start, end in pairwise(arm):
            bone = joints[end] - joints[start]
            if sign * float(bone @ across) < 0.85 * float(np.linalg.norm(bone)):
                return False
    return True


def find_jump(clip: MotionClip) -> str | None:
    """Where a clip moves farther in a frame than anybody can, in a line; None if it does not."""
    steps = clip.joints.diff(dim=0).norm(dim=-1)
    if not len(steps):
        return None
    allowed = steps.new_full((len(HUMAN36M),), FASTEST / clip.fps)
    allowed[0] /= 2
    worst = int((steps / allowed).argmax())
    frame, joint = divmod(worst, len(HUMAN36M))
    step = float(steps[frame, joint])
    if step <= float(allowed[joint]):
        return None
    return (
        f"{clip.name}: {HUMAN36M.names[joint]} moves {step:.2f} m from frame {frame} to the next "
        f"({step * clip.fps:.0f} m/s); expected at most {float(allowed[joint]) * clip.fps:.0f} m/s"
    )
