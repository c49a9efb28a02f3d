"""Random bodies: bone lengths that vary together as in real people, children and heavy people among them.

How lengths vary about those of ``spgnet.geometry.skeleton.BODY`` was measured by ``scripts/fit_bodies.py`` on
the 21 people of the motion archives that have skeletons of their own (ten of UI-PRMD, eleven of CMU), each
relative to the mean of their source, since sources differ in what they call a joint.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.skeleton import BODY, HUMAN36M

MEASURED_BONES = ("hip", "knee", "ankle", "spine", "thorax", "shoulder", "elbow", "wrist")
"""The bones that were measured, by the joint at their far end; the head's are guesses in every archive."""
PROPORTION_DEVIATIONS = (0.070, 0.042, 0.028, 0.036, 0.037, 0.068, 0.036, 0.045)
"""Standard deviations of the logarithms of these bones' lengths at equal stature."""
PROPORTION_CORRELATIONS = (
    (1.0, 0.0, 0.1, 0.0, 0.0, 0.2, 0.0, 0.0),
    (0.0, 1.0, 0.1, -0.5, -0.6, 0.0, 0.1, 0.0),
    (0.1, 0.1, 1.0, -0.5, -0.3, 0.0, 0.2, 0.2),
    (0.0, -0.5, -0.5, 1.0, 0.7, 0.0, -0.1, 0.0),
    (0.0, -0.6, -0.3, 0.7, 1.0, 0.1, -0.1, 0.1),
    (0.2, 0.0, 0.0, 0.0, 0.1, 1.0, 0.0, 0.2),
    (0.0, 0.1, 0.2, -0.1, -0.1, 0.0, 1.0, 0.2),
    (0.0, 0.0, 0.2, 0.0, 0.1, 0.2, 0.2, 1.0),
)
"""Their correlations: measured, rounded towards what larger surveys of people find where 21 cannot tell
(breadths go together, a longer shank and arm go with a longer thigh)."""
HEAD_DEVIATION = 0.05
"""Of the logarithms of the head's bones."""

_CHILD_STATURE = (0.63, 0.88)
"""Range of children's statures, by a factor of one 1.75 m tall: 1.1 to 1.54 m."""
_CHILD_GROWTH = {"nose": 0.35, "head_top": 0.35, "knee": 1.15, "ankle": 1.15, "spine": 0.9, "thorax": 0.9}
"""How a child's bones follow from the stature: by which power of it, where that is not 1."""
_HEAVY = {"hip": 0.3, "shoulder": 0.18}
"""The most that the logarithms of a heavy person's breadths are above others'."""


@dataclass(frozen=True)
class BodyVariation:
    """How much bodies vary. Shares are of the bodies.

    Args:
        stature: mean and standard deviation of the stature, by a factor of one 1.75 m tall.
        bone_spread: standard deviation of the logarithm of single bones' lengths, each by itself.
        proportions: how much lengths vary together at equal stature; 1 is as in the people measured.
        children: share of children of 1.1 to 1.54 m.
        heavy: share of people with wider hips and shoulders.
    """

    stature: tuple[float, float]
    bone_spread: float
    proportions: float = 0.0
    children: float = 0.0
    heavy: float = 0.0


def draw_bone_lengths(
    count: int, variation: BodyVariation, device: torch.device
) -> Float[Tensor, "bodies 16"]:
    """Bone lengths of random bodies in metres, in the order of ``HUMAN36M.bones``; left and right alike."""
    mean, deviation = variation.stature
    stature = (mean + deviation * torch.randn(count, 1, device=device)).clamp_min(0.5 * mean)
    spread = (torch.randn(count, len(HUMAN36M), device=device) * variation.bone_spread).exp().clamp(0.75, 1.3)
    spread = spread[:, [min(child, HUMAN36M.mirror[child]) for _, child in HUMAN36M.bones]]
    usual = torch.tensor([BODY[kind] for kind in _BONE_KINDS], device=device)
    growth = torch.ones(1, len(_BONE_KINDS), device=device)
    if variation.children:
        child = torch.rand(count, 1, device=device) < variation.children
        low, high = _CHILD_STATURE
        stature = torch.where(child, low + (high - low) * torch.rand(count, 1, device=device), stature)
        growth = torch.where(child, torch.tensor(_GROWTH, device=device), growth)
    lengths = usual * stature**growth * spread
    if variation.proportions:
        drawn = torch.randn(count, len(PROPORTION_DEVIATIONS) + 2, device=device)
        together = drawn @ _proportion_factors().to(device)
        lengths = lengths * (variation.proportions * together).clamp(-0.4, 0.4).exp()
    if variation.heavy:
        heavy = (torch.rand(count, 1, device=device) < variation.heavy) * torch.rand(count, 1, device=device)
        lengths = lengths * (heavy * torch.tensor(_BREADTHS, device=device)).exp()
    return lengths


_BONE_KINDS = [HUMAN36M.joint_types[child] for _, child in HUMAN36M.bones]
_GROWTH = [_CHILD_GROWTH.get(kind, 1.0) for kind in _BONE_KINDS]
_BREADTHS = [_HEAVY.get(kind, 0.0) for kind in _BONE_KINDS]


def _proportion_factors() -> Float[Tensor, "10 16"]:
    """What ten independent numbers of unit variance add to the logarithms of the 16 bones' lengths."""
    deviations = torch.tensor(PROPORTION_DEVIATIONS)
    covariance = deviations[:, None] * torch.tensor(PROPORTION_CORRELATIONS) * deviations
    body = torch.linalg.cholesky(covariance)
    head = HEAD_DEVIATION * torch.eye(2)
    kinds: dict[str, Tensor] = {}
    for kind, factors in zip(
        (*MEASURED_BONES, "nose", "head_top"), torch.block_diag(body, head), strict=True
    ):
        kinds[kind] = factors
    return torch.stack([kinds[kind] for kind in _BONE_KINDS], dim=1)
