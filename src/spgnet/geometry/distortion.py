"""Lens distortion of normalised image points, in two conventions, and its inverse.

A normalised point is (x / z, y / z) in the camera frame. Both conventions have three radial
coefficients (k1, k2, k3); they differ in what the two tangential coefficients mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Convention = Literal["human36m", "opencv"]
Points = Float[Tensor, "*batch 2"]


def radial_factor(
    r2: Float[Tensor, "*#batch 1"], radial: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 1"]:
    """1 + k1 r^2 + k2 r^4 + k3 r^6 of squared radii (Algorithm 1, lines 5 and 6, corrected)."""
    return 1 + (radial * torch.cat((r2, r2**2, r2**3), dim=-1)).sum(dim=-1, keepdim=True)


def distort_human36m(
    xy: Float[Tensor, "*#batch 2"], radial: Float[Tensor, "*#batch 3"], tangential: Float[Tensor, "*#batch 2"]
) -> Points:
    """Distort normalised points as Human3.6M's cameras do (Algorithm 1, lines 4 to 8, corrected).

    ``tangential`` is (p2, p1) in OpenCV's names, and the cross terms lack OpenCV's factor 2.
    """
    r2 = (xy**2).sum(dim=-1, keepdim=True)
    tangent = (tangential * xy).sum(dim=-1, keepdim=True)
    return xy * (radial_factor(r2, radial) + tangent) + tangential * r2


def distort_opencv(
    xy: Float[Tensor, "*#batch 2"], radial: Float[Tensor, "*#batch 3"], tangential: Float[Tensor, "*#batch 2"]
) -> Points:
    """Distort normalised points as OpenCV does; ``tangential`` is (p1, p2)."""
    r2 = (xy**2).sum(dim=-1, keepdim=True)
    cross = 2 * xy.prod(dim=-1, keepdim=True)
    return xy * radial_factor(r2, radial) + tangential * cross + tangential.flip(-1) * (r2 + 2 * xy**2)


DISTORT: dict[Convention, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "human36m": distort_human36m,
    "opencv": distort_opencv,
}


def undistort(
    distorted: Float[Tensor, "*#batch 2"],
    radial: Float[Tensor, "*#batch 3"],
    tangential: Float[Tensor, "*#batch 2"],
    convention: Convention,
    *,
    iterations: int = 20,
    tolerance: float | None = None,
) -> tuple[Points, Bool[Tensor, "*batch"]]:
    """Invert the distortion of normalised points by Newton's method.

    The result is differentiable (its last Newton step carries the gradient of the implicit function).

    Args:
        tolerance: largest residual, in normalised units, of a point that counts as converged;
            by default 1e-9 in double and 1e-6 in single precision, a hundredth of a pixel or less.

    Returns:
        The undistorted points, and which of them converged. Strong distortion folds the image
        over itself, and beyond the fold no point maps to the given one.
    """
    if tolerance is None:
        tolerance = 1e-9 if distorted.dtype == torch.float64 else 1e-6

    def residual(xy: Tensor) -> Tensor:
        return DISTORT[convention](xy, radial, tangential) - distorted

    def jacobian(xy: Tensor) -> Tensor:
        return _jacobian(xy, radial, tangential, convention)

    with torch.no_grad():
        xy = distorted.clone()
        for _ in range(iterations):
            step = _solve_2x2(jacobian(xy), residual(xy))
            # Steps are bounded, since a long one could cross a nearby fold.
            longest = 0.2 + 0.2 * xy.norm(dim=-1, keepdim=True)
            step = step / (step.norm(dim=-1, keepdim=True) / longest).clamp_min(1)
            xy = xy - step
            if bool((step.abs() < tolerance / 10).all()):
                break
        matrix = jacobian(xy)
        # Beyond a fold, where the determinant has changed its sign on the way from the centre, is no inverse.
        determinants = [_determinant(jacobian(xy * (part / 16))) for part in range(1, 17)]
        upright = (torch.stack(determinants) > 0).all(dim=0)
    rest = residual(xy)
    converged = (rest.detach().norm(dim=-1) < tolerance) & (xy.norm(dim=-1) < 10) & upright
    return xy - _solve_2x2(matrix, rest), converged


def _jacobian(xy: Tensor, radial: Tensor, tangential: Tensor, convention: Convention) -> Tensor:
    """The 2x2 Jacobian of the distortion at every point."""
    # OpenCV's model is Human3.6M's with the coefficients exchanged and the cross terms doubled.
    tangent, cross = (tangential, 1) if convention == "human36m" else (tangential.flip(-1), 2)
    r2 = (xy**2).sum(dim=-1, keepdim=True)
    slope = (radial * torch.cat((torch.ones_like(r2), 2 * r2, 3 * r2**2), dim=-1)).sum(dim=-1, keepdim=True)
    stretch = radial_factor(r2, radial) + cross * (tangent * xy).sum(dim=-1, keepdim=True)
    growth = 2 * slope * xy + cross * tangent
    identity = torch.eye(2, dtype=xy.dtype, device=xy.device)
    return (
        stretch.unsqueeze(-1) * identity
        + xy.unsqueeze(-1) * growth.unsqueeze(-2)
        + 2 * tangent.unsqueeze(-1) * xy.unsqueeze(-2)
    )


def _determinant(matrix: Tensor) -> Tensor:
    (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    return a * d - b * c


def _solve_2x2(matrix: Tensor, right: Tensor) -> Tensor:
    (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    u, v = right.unbind(dim=-1)
    return torch.stack((d * u - b * v, a * v - c * u), dim=-1) / _determinant(matrix).unsqueeze(-1)
