"""Camera intrinsics fitted to 3D points and their pixels, for data sets that do not publish them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spgnet.geometry.camera import Camera, opencv_camera, project


class LensFit(NamedTuple):
    """A fitted lens.

    Attributes:
        camera: one camera at the origin of the camera frame, OpenCV's lens model; its pose is the default.
        residual: median distance between the pixels and the projected points, in pixels.
    """

    camera: Camera
    residual: float


def fit_lens(
    points: Float[np.ndarray, "points 3"],
    pixels: Float[np.ndarray, "points 2"],
    image_size: tuple[int, int],
    *,
    distorted: bool,
) -> LensFit:
    """Fit the lens that projects points onto their pixels, by least squares in pixels.

    Args:
        points: metres, camera frame (z forward), in front of the camera.
        pixels: the image points.
        image_size: width and height in pixels.
        distorted: fit the distortion k1, k2, p1, p2 besides the focal lengths and the principal point.

    Raises:
        InputError: no lens with positive focal lengths fits.
    """
    from scipy.optimize import least_squares

    points_3d, targets = (torch.from_numpy(values.astype(np.float64)) for values in (points, pixels))

    def residuals(values: np.ndarray) -> np.ndarray:
        lens = _lens(torch.from_numpy(values), image_size)
        return (project(points_3d, lens) - targets).flatten().numpy()

    def jacobian(values: np.ndarray) -> np.ndarray:
        # Each point gets its own copy of the lens, so that one backward pass gives the derivatives of all.
        lenses = torch.from_numpy(values).repeat(len(points_3d), 1).requires_grad_()
        u, v = project(points_3d[:, None], _lens(lenses, image_size)).sum(dim=(0, 1))
        rows = [torch.autograd.grad(side, lenses, retain_graph=True)[0] for side in (u, v)]
        return torch.stack(rows, dim=1).flatten(0, 1).numpy()

    # Without distortion, u and v are linear in x / z and y / z; the fit converges from that solution.
    (fx, cx), (fy, cy) = (np.polyfit(points[:, i] / points[:, 2], pixels[:, i], 1) for i in (0, 1))
    values = np.array([fx, fy, cx, cy, 0, 0, 0, 0], dtype=np.float64)
    if distorted:
        fit = least_squares(residuals, values, jacobian, method="lm", max_nfev=_MOST_STEPS)  # type: ignore[arg-type]
        values = fit.x
    lens = _lens(torch.from_numpy(values), image_size)
    camera = opencv_camera(lens.intrinsics_matrix(), lens.distortion_coefficients(), image_size)
    distances = np.linalg.norm(residuals(values).reshape(-1, 2), axis=1)
    return LensFit(camera, float(np.median(distances)))


_MOST_STEPS = 200
"""Steps of a fit; those of lenses that fit take some ten."""


def _lens(values: Float[Tensor, "*batch 8"], image_size: tuple[int, int]) -> Camera:
    """Cameras of fx, fy, cx, cy, k1, k2, p1, p2."""
    batch = values.shape[:-1]
    k3 = values.new_zeros(*batch, 1)
    return Camera(
        focal=values[..., :2],
        center=values[..., 2:4],
        radial=torch.cat((values[..., 4:6], k3), dim=-1),
        tangential=values[..., 6:],
        rotation=torch.eye(3).to(values).expand(*batch, 3, 3),
        position=values.new_zeros(*batch, 3),
        image_size=torch.tensor(image_size).to(values).expand(*batch, 2),
        convention="opencv",
    )
