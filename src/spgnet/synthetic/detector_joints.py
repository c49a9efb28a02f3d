"""Where in the body a 2D detector puts a joint, which is not where motion capture puts it.

Motion capture gives joint centres. Annotators of images mark what they see: hips high and far out at the
waist, shoulders towards the neck. Such an offset stays in the body and turns with it, so it is made here
before projection. ``docs/noise.md`` shows how far real detections are from markers.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from spgnet.geometry.skeleton import HUMAN36M

_OUTWARD, _UP = {"hip": 0.015, "shoulder": -0.01}, {"hip": 0.03}
"""Mean offset along the line of the hips and along the trunk, in metres; that of other joints is 0."""
_ALONG_LIMB = 0.04
"""Standard deviation of where knees, ankles, elbows and wrists are along their bones, by bone lengths."""
_HEAD = [HUMAN36M.names.index(name) for name in ("nose", "head_top")]
_HIPS, _SHOULDERS = (
    [HUMAN36M.names.index(f"left_{kind}"), HUMAN36M.names.index(f"right_{kind}")]
    for kind in ("hip", "shoulder")
)
_PELVIS, _THORAX = HUMAN36M.names.index("pelvis"), HUMAN36M.names.index("thorax")
_SIGNS = [{"left": 1, "right": -1, "middle": 0}[HUMAN36M.side(joint)] for joint in range(17)]
_USUAL = torch.tensor(
    [
        [s * _OUTWARD.get(k, 0.0), 0.0, _UP.get(k, 0.0)]
        for s, k in zip(_SIGNS, HUMAN36M.joint_types, strict=True)
    ]
)
_ENDS = [
    child for child, kind in enumerate(HUMAN36M.joint_types) if kind in ("knee", "ankle", "elbow", "wrist")
]


def detector_joints(
    joints: Float[Tensor, "batch frames 17 3"], spread: float
) -> Float[Tensor, "batch frames 17 3"]:
    """What a detector takes for the joints, the same throughout a sample.

    Joints are moved by the usual offset and a random one in the body; pelvis and thorax besides with the
    middles of the hips and the shoulders, and the joints of the limbs along their bones.

    Args:
        joints: metres, in any frame.
        spread: standard deviation of the offsets about the usual ones, in metres; twice that for the head.
            At 0 the joints stay where they are.
    """
    if not spread:
        return joints
    count, device = len(joints), joints.device
    offset = spread * torch.randn(count, 17, 3, device=device)
    offset[:, _HEAD] *= 2
    offset += _USUAL.to(device)
    for middle, pair in ((_PELVIS, _HIPS), (_THORAX, _SHOULDERS)):
        offset[:, middle] += offset[:, pair].mean(dim=1)
    moved = joints + offset[:, None] @ trunk_axes(joints)
    starts = [HUMAN36M.parents[end] for end in _ENDS]
    along = _ALONG_LIMB * torch.randn(count, 1, len(_ENDS), 1, device=device)
    moved[..., _ENDS, :] += along * (joints[..., _ENDS, :] - joints[..., starts, :])
    return moved


def trunk_axes(joints: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rows: to the person's left along the hips, square to that and the trunk, and up the trunk.

    The second points backward in right-handed coordinates of the world, as of the camera.
    """
    pelvis, thorax = joints[..., _PELVIS, :], joints[..., _THORAX, :]
    left, right = (joints[..., hip, :] for hip in _HIPS)
    up = normalize(thorax - pelvis, dim=-1)
    across = left - right
    leftward = normalize(across - (across * up).sum(dim=-1, keepdim=True) * up, dim=-1)
    return torch.stack((leftward, torch.linalg.cross(up, leftward), up), dim=-2)
