"""Alignment of predicted to true poses: Procrustes (similarity) and scale, as metrics need them."""

from __future__ import annotations

import torch
from jaxtyping import Float
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
    rotation, agreement = _best_rotation(centred.mT @ (goal - goal_mean))
    scale = _ratio(agreement, centred.square().sum((-2, -1)))
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


def _best_rotation(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation R of greatest trace(Rᵀ covariance), for row vectors (x R), and that trace.

    By SVD. The closed form of the quaternion (Theobald 2005) would about halve the time of an alignment,
    but is centimetres off for mirrored poses; the 4x4 eigenproblem (Horn 1987) takes as long.
    """
    left, singular, right = torch.linalg.svd(covariance)
    signs = torch.ones_like(singular)
    signs[..., 2] = torch.linalg.det(left @ right).sign()
    return left @ (signs.unsqueeze(-1) * right), (signs * singular).sum(-1)


def _ratio(numerator: Tensor, squares: Tensor) -> Tensor:
    """Numerator / squares, and 0 where a sum of squares, and with it the numerator, is 0."""
    return numerator / squares.clamp_min(torch.finfo(squares.dtype).tiny)
