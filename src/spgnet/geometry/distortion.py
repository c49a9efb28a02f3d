"""Lens models: the distortion of normalised image points, and its inverse.

A normalised point is (x / z, y / z) in the camera frame. Of the three models ("conventions"), Human3.6M's and
OpenCV's have three radial coefficients (k1, k2, k3) and differ in what the two tangential coefficients mean;
OpenCV's may have three more (k4, k5, k6), the denominator of its rational model. ``"fisheye"`` is that of
``cv2.fisheye``, which ROS and Kalibr call equidistant (J. Kannala and S. Brandt 2006): four coefficients of a
polynomial in the angle from the optical axis, and no tangential ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spgnet.errors import InputError

Convention = Literal["human36m", "opencv", "fisheye"]
Points = Float[Tensor, "*batch 2"]


_MODELS = {
    "plumb_bob": False,
    "rational_polynomial": False,
    "radtan": False,
    "opencv": False,
    "none": False,
    "equidistant": True,
    "equi": True,
    "fisheye": True,
    "kannala_brandt": True,
}
"""Whether a lens model is a fisheye's, by the names of ROS and Kalibr; the others are OpenCV's."""


def is_fisheye(distortion_model: str) -> bool:
    """Whether a lens model of this name is that of ``cv2.fisheye``; else it is that of ``cv2.projectPoints``.

    Raises:
        InputError: it is another one, or unknown.
    """
    if distortion_model.lower() not in _MODELS:
        raise InputError(
            f"the lens model {distortion_model[:40]!r} is not known, expected plumb_bob, rational_polynomial "
            "or equidistant (a fisheye); undistort the video, or calibrate with one of these"
        )
    return _MODELS[distortion_model.lower()]


def radial_factor(
    r2: Float[Tensor, "*#batch 1"], radial: Float[Tensor, "*#batch coefficients"]
) -> Float[Tensor, "*batch 1"]:
    """1 + k1 r^2 + k2 r^4 + k3 r^6 of squared radii (Algorithm 1, lines 5 and 6, corrected).

    With six coefficients this is divided by 1 + k4 r^2 + k5 r^4 + k6 r^6: OpenCV's rational model.
    """
    powers = torch.cat((r2, r2**2, r2**3), dim=-1)
    factor = 1 + (radial[..., :3] * powers).sum(dim=-1, keepdim=True)
    if radial.shape[-1] == 3:
        return factor
    return factor / (1 + (radial[..., 3:] * powers).sum(dim=-1, keepdim=True))


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
    xy: Float[Tensor, "*#batch 2"],
    radial: Float[Tensor, "*#batch coefficients"],
    tangential: Float[Tensor, "*#batch 2"],
) -> Points:
    """Distort normalised points as OpenCV does; ``tangential`` is (p1, p2), ``radial`` k1 to k3 or to k6."""
    r2 = (xy**2).sum(dim=-1, keepdim=True)
    cross = 2 * xy.prod(dim=-1, keepdim=True)
    return xy * radial_factor(r2, radial) + tangential * cross + tangential.flip(-1) * (r2 + 2 * xy**2)


def distort_fisheye(
    xy: Float[Tensor, "*#batch 2"], radial: Float[Tensor, "*#batch 4"], tangential: Float[Tensor, "*#batch 2"]
) -> Points:
    """Distort normalised points as ``cv2.fisheye`` does; there are no tangential coefficients (all are 0).

    A point at the angle t from the optical axis is t + k1 t^3 + k2 t^5 + k3 t^7 + k4 t^9 from the centre.
    """
    ratio = _angle_over_radius((xy**2).sum(dim=-1, keepdim=True))  # t / tan t
    angle2 = ratio**2 * (xy**2).sum(dim=-1, keepdim=True)
    return xy * ratio * _fisheye_factor(angle2, radial)


def _angle_over_radius(r2: Tensor) -> Tensor:
    """atan(r) / r of squared radii, with finite gradients at the centre."""
    central = r2 < 1e-6
    r = torch.where(central, 1.0, r2).sqrt()
    return torch.where(central, 1 - r2 / 3 + r2**2 / 5, r.atan() / r)


def _fisheye_factor(angle2: Tensor, radial: Tensor) -> Tensor:
    """1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8 of squared angles."""
    powers = torch.cat([angle2**power for power in range(1, 5)], dim=-1)
    return 1 + (radial * powers).sum(dim=-1, keepdim=True)


DISTORT: dict[Convention, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "human36m": distort_human36m,
    "opencv": distort_opencv,
    "fisheye": distort_fisheye,
}

_WIDEST = 10.0
"""Radius of normalised points up to which a distortion is inverted: 84 degrees from the optical axis."""


def undistort(
    distorted: Float[Tensor, "*#batch 2"],
    radial: Float[Tensor, "*#batch coefficients"],
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
    if convention == "fisheye":
        return _undistort_fisheye(distorted, radial, iterations, tolerance)

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
        # So it is beyond a pole of the rational model.
        upright = torch.ones(xy.shape[:-1], dtype=torch.bool, device=xy.device)
        for part in range(1, 17):
            upright &= _determinant(jacobian(xy * (part / 16))) > 0
    rest = residual(xy)
    converged = (rest.detach().norm(dim=-1) < tolerance) & (xy.norm(dim=-1) < _WIDEST) & upright
    return xy - _solve_2x2(matrix, rest), converged


def _undistort_fisheye(
    distorted: Tensor, radial: Tensor, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """:func:`undistort` for fisheye lenses: Newton's method for the angle from the optical axis."""
    r2 = (distorted**2).sum(dim=-1, keepdim=True)
    central = r2 < 1e-12
    radius = torch.where(central, 1.0, r2).sqrt()  # of those at the centre any: it has no direction

    def residual(angle: Tensor) -> Tensor:
        return angle * _fisheye_factor(angle**2, radial) - radius

    def slope(angle: Tensor) -> Tensor:
        odd = torch.tensor([3.0, 5.0, 7.0, 9.0], dtype=angle.dtype, device=angle.device)
        return _fisheye_factor(angle**2, radial * odd)

    with torch.no_grad():
        angle = radius.clone().clamp_max(1.4).expand(residual(radius).shape).clone()
        for _ in range(iterations):
            step = (residual(angle) / slope(angle)).clamp(-0.2, 0.2)
            angle = (angle - step).clamp(0, 2)
            if bool((step.abs() < tolerance / 10).all()):
                break
        tangent = slope(angle)
        rising = torch.cat([slope(angle * (part / 16)) for part in range(1, 17)], dim=-1) > 0
    rest = residual(angle)
    angle = angle - rest / tangent
    converged = (rest.detach().abs() < tolerance) & (angle.detach() < math.atan(_WIDEST))
    converged = (converged.squeeze(-1) & rising.all(dim=-1)) | central.squeeze(-1)
    # Angles that did not converge may be beyond 90 degrees, where the tangent is of no use.
    ratio = torch.where(central, 1.0, angle.clamp_max(math.atan(_WIDEST)).tan() / radius)
    return distorted * ratio, converged


def _jacobian(xy: Tensor, radial: Tensor, tangential: Tensor, convention: Convention) -> Tensor:
    """The 2x2 Jacobian of the distortion at every point, but for fisheye lenses."""
    # OpenCV's model is Human3.6M's with the coefficients exchanged and the cross terms doubled.
    tangent, cross = (tangential, 1) if convention == "human36m" else (tangential.flip(-1), 2)
    r2 = (xy**2).sum(dim=-1, keepdim=True)
    stretch = radial_factor(r2, radial) + cross * (tangent * xy).sum(dim=-1, keepdim=True)
    growth = 2 * _radial_slope(r2, radial) * xy + cross * tangent
    identity = torch.eye(2, dtype=xy.dtype, device=xy.device)
    return (
        stretch.unsqueeze(-1) * identity
        + xy.unsqueeze(-1) * growth.unsqueeze(-2)
        + 2 * tangent.unsqueeze(-1) * xy.unsqueeze(-2)
    )


def _radial_slope(r2: Tensor, radial: Tensor) -> Tensor:
    """The derivative of :func:`radial_factor` by the squared radius."""
    powers = torch.cat((torch.ones_like(r2), 2 * r2, 3 * r2**2), dim=-1)
    slope = (radial[..., :3] * powers).sum(dim=-1, keepdim=True)
    if radial.shape[-1] == 3:
        return slope
    below = (radial[..., 3:] * powers).sum(dim=-1, keepdim=True)
    return (slope - radial_factor(r2, radial) * below) / radial_factor(r2, radial[..., 3:])


def _determinant(matrix: Tensor) -> Tensor:
    (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    return a * d - b * c


def _solve_2x2(matrix: Tensor, right: Tensor) -> Tensor:
    (a, b), (c, d) = (row.unbind(dim=-1) for row in matrix.unbind(dim=-2))
    u, v = right.unbind(dim=-1)
    return torch.stack((d * u - b * v, a * v - c * u), dim=-1) / _determinant(matrix).unsqueeze(-1)
