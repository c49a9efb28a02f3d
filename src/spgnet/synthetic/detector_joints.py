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
_USUAL_WIDENING = 0.35
"""Mean share by which hips are farther out as they flex: the middle of what is drawn for training."""
_ALONG_LIMB = 0.04
"""Standard deviation of where knees, ankles, elbows and wrists are along their bones, by bone lengths."""
_HEAD = [HUMAN36M.names.index(name) for name in ("nose", "head_top")]
_HIPS, _SHOULDERS = (
    [HUMAN36M.names.index(f"left_{kind}"), HUMAN36M.names.index(f"right_{kind}")]
    for kind in ("hip", "shoulder")
)
_KNEES = [HUMAN36M.names.index(f"{side}_knee") for side in ("left", "right")]
_PELVIS, _THORAX = HUMAN36M.names.index("pelvis"), HUMAN36M.names.index("thorax")
_SIGNS = [{"left": 1, "right": -1, "middle": 0}[HUMAN36M.side(joint)] for joint in range(17)]
_USUAL = torch.tensor(
    [
        [s * _OUTWARD.get(k, 0.0), 0.0, _UP.get(k, 0.0)]
        for s, k in zip(_SIGNS, HUMAN36M.joint_types, strict=True)
    ]
)
_MIDDLES = ((_PELVIS, _HIPS), (_THORAX, _SHOULDERS))
_ENDS = [
    child for child, kind in enumerate(HUMAN36M.joint_types) if kind in ("knee", "ankle", "elbow", "wrist")
]


def detector_joints(
    joints: Float[Tensor, "batch frames 17 3"],
    spread: float,
    *,
    hip_spread: float = 0.0,
    head_spread: float = 0.0,
    hip_widening: tuple[float, float] = (0.0, 0.0),
) -> Float[Tensor, "batch frames 17 3"]:
    """What a detector takes for the joints, the same throughout a sample.

    Joints are moved by the usual offset and a random one in the body; pelvis and thorax besides with the
    middles of the hips and the shoulders, and the joints of the limbs along their bones.

    Args:
        joints: metres, in any frame.
        spread: standard deviation of the offsets about the usual ones, in metres; twice that for the head.
            At 0 the joints stay where they are.
        hip_spread: standard deviation of a further offset of the hips, in metres.
        head_spread: likewise of nose, top of the head and neck.
        hip_widening: range of how far each hip is moved outward as it flexes (see ``docs/noise.md``).
    """
    if not spread:
        return joints
    count, device = len(joints), joints.device
    offset = spread * torch.randn(count, 17, 3, device=device)
    offset[:, _HEAD] *= 2
    offset += _USUAL.to(device)
    if hip_spread:
        offset[:, _HIPS] += hip_spread * torch.randn(count, 2, 3, device=device)
    if head_spread:
        loose = [*_HEAD, _THORAX]
        offset[:, loose] += head_spread * torch.randn(count, len(loose), 3, device=device)
    offset = _with_middles(offset)
    moved = joints + torch.einsum("bjk,bfkx->bfjx", offset, trunk_axes(joints))  # faster than 3 x 3 products
    if any(hip_widening):
        low, high = hip_widening
        shares = low + (high - low) * torch.rand(count, 1, 2, 1, device=device)
        outward = _hip_widening(joints, shares)
        moved[..., _HIPS, :] += outward
        moved[..., _PELVIS, :] += outward.mean(dim=-2)
    ends = torch.tensor(_ENDS, device=device)
    starts = torch.tensor([HUMAN36M.parents[end] for end in _ENDS], device=device)
    along = _ALONG_LIMB * torch.randn(count, 1, len(_ENDS), 1, device=device)
    bones = joints.index_select(-2, ends) - joints.index_select(-2, starts)
    return moved.index_add(-2, ends, along * bones)


def usual_offsets(joints: Float[Tensor, "frames 17 3"]) -> Float[Tensor, "frames 17 3"]:
    """Mean vector from each joint to where a detector puts it, in metres, in the frame of the joints."""
    usual = _with_middles(_USUAL.to(joints)) @ trunk_axes(joints)
    outward = _hip_widening(joints, joints.new_full((2, 1), _USUAL_WIDENING))
    usual[..., _HIPS, :] += outward
    usual[..., _PELVIS, :] += outward.mean(dim=-2)
    return usual


def _with_middles(offset: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch 17 3"]:
    """Offsets in the body, with those of the hips and shoulders added to that of their middles."""
    offset = offset.clone()
    for middle, pair in _MIDDLES:
        offset[..., middle, :] += offset[..., pair, :].mean(dim=-2)
    return offset


def _hip_widening(
    joints: Float[Tensor, "*batch 17 3"], shares: Float[Tensor, "*#batch 2 1"]
) -> Float[Tensor, "*batch 2 3"]:
    """How much farther out a detector puts the left and the right hip, the more they are flexed.

    It is a share of the hip's distance from the pelvis times 1 - cos of the angle between the thigh and the
    trunk, which is 0 for somebody who stands.
    """
    hips, knees = joints[..., _HIPS, :], joints[..., _KNEES, :]
    pelvis, thorax = joints[..., _PELVIS : _PELVIS + 1, :], joints[..., _THORAX : _THORAX + 1, :]
    straight = (normalize(knees - hips, dim=-1) * normalize(pelvis - thorax, dim=-1)).sum(
        dim=-1, keepdim=True
    )
    return shares * (1 - straight) * (hips - pelvis)


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
