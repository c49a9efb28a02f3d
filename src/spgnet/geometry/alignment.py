"""Alignment of predicted to true poses: Procrustes (similarity) and scale, as metrics need them."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def similarity_align(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints 3"]:
    """Align each predicted pose to its target by the best rotation, scale and translation.

    These minimise the sum of squared distances (Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", PAMI 1991). Reflections are not allowed. A pose whose joints
    coincide, or whose target's do, goes to the target's centroid. Computation is in float64;
    the result has the type and the unit of the prediction. It is not for training: the gradient of the
    singular vectors does not exist for symmetric poses.

    Raises:
        torch.linalg.LinAlgError: a pose holds values that are not finite.
    """
    source, goal = predicted.double(), target.double()
    source_mean, goal_mean = source.mean(-2, keepdim=True), goal.mean(-2, keepdim=True)
    centred = source - source_mean
    covariance = centred.mT @ (goal - goal_mean)
    rotation = _best_rotation(covariance)
    scale = _ratio((covariance * rotation).sum((-2, -1)), centred.square().sum((-2, -1)))
    return (centred @ (scale[..., None, None] * rotation) + goal_mean).to(predicted.dtype)


def scale_align(
    predicted: Float[Tensor, "*batch joints 3"], target: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints 3"]:
    """Scale each predicted pose about its root (joint 0) to fit its target, and move it to the target's root.

    The scale minimises the squared error between the root-relative poses (Rhodin et al., "Unsupervised
    geometry-aware representation for 3D human pose estimation", ECCV 2018). It is negative where the
    prediction points away from its target, and 0 where all predicted joints lie in the root.
    """
    target_root = target[..., :1, :]
    predicted, target = predicted - predicted[..., :1, :], target - target_root
    scale = _ratio((predicted * target).sum((-2, -1)), predicted.square().sum((-2, -1)))
    return scale[..., None, None] * predicted + target_root


_BLOCK = 4096
"""Matrices that are worked on together; so many stay in a processor's cache."""
_FEW = 64
"""Number of matrices up to which one SVD each is as fast."""
_NEARLY_FLAT = 1e-6
"""Determinant of a matrix of norm 1 below which the iteration would need too many steps."""
_STEPS = 12


def _best_rotation(covariance: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation R of greatest trace(Rᵀ covariance), for row vectors (x R).

    That is the orthogonal factor of the polar decomposition if the determinant is positive, and else it needs
    an SVD. Newton's iteration finds it in a sixth of the time of an SVD.
    """
    flat = covariance.reshape(-1, 3, 3)
    if len(flat) <= _FEW:
        return _rotation_by_svd(covariance)
    rotation, found = (
        torch.cat(parts) for parts in zip(*map(_polar_rotation, flat.split(_BLOCK)), strict=True)
    )
    if not bool(found.all()):
        rotation[~found] = _rotation_by_svd(flat[~found])
    return rotation.view(covariance.shape)


def _rotation_by_svd(covariance: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    left, singular, right = torch.linalg.svd(covariance)
    signs = torch.ones_like(singular)
    signs[..., 2] = torch.linalg.det(left @ right).sign()
    return left @ (signs.unsqueeze(-1) * right)


def _polar_rotation(matrices: Float[Tensor, "batch 3 3"]) -> tuple[Tensor, Bool[Tensor, " batch"]]:
    """The orthogonal factor of each matrix, and where the determinant is large enough for it to be right.

    By Newton's iteration X <- (g X + X⁻ᵀ / g) / 2 with g = |det X|^(-1/3) (Higham, "Computing the polar
    decomposition, with applications", SIAM J. Sci. Stat. Comput. 1986). Its error is squared in every step.
    The entries are rows of their own, so that a step is a few operations on long vectors.
    """
    x = matrices.flatten(1).T.contiguous()
    x /= x.square().sum(dim=0).sqrt()
    found, change = _cofactors(x)[1] > _NEARLY_FLAT, torch.full_like(x[0], torch.inf)
    for _ in range(_STEPS):
        cofactors, determinant = _cofactors(x)
        factor = determinant.abs().pow(-1 / 3)
        following = (factor * x + cofactors / (factor * determinant)) / 2
        change = (following - x).abs().amax(dim=0)
        x = following
        if not bool((found & (change > 1e-9)).any()):
            break
    return x.T.view(-1, 3, 3), found & (change <= 1e-9)


def _cofactors(x: Float[Tensor, "9 batch"]) -> tuple[Float[Tensor, "9 batch"], Float[Tensor, " batch"]]:
    """The cofactors of matrices whose entries are rows, and the determinants."""
    a, b, c, d, e, f, g, h, i = x
    cofactors = torch.stack(
        (
            *(e * i - f * h, f * g - d * i, d * h - e * g),
            *(c * h - b * i, a * i - c * g, b * g - a * h),
            *(b * f - c * e, c * d - a * f, a * e - b * d),
        )
    )
    return cofactors, a * cofactors[0] + b * cofactors[1] + c * cofactors[2]


def _ratio(numerator: Tensor, squares: Tensor) -> Tensor:
    """Numerator / squares, and 0 where a sum of squares, and with it the numerator, is 0."""
    return numerator / squares.clamp_min(torch.finfo(squares.dtype).tiny)
