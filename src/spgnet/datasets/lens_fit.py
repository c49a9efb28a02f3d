"""Lenses fitted to pixels: for data sets that give 3D and its exact 2D, but not the camera between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spgnet.geometry.camera import Camera, opencv_camera

_STEPS = 10


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
    """The lens under which points fall on their pixels, by least squares in pixels.

    Args:
        points: metres, camera frame (z forward), in front of the camera.
        pixels: where they are seen.
        image_size: width and height in pixels.
        distorted: fit the distortion k1, k2, p1, p2 besides the focal lengths and the principal point.

    Raises:
        InputError: no lens with positive focal lengths fits.
    """
    xy = points[:, :2].astype(np.float64) / points[:, 2:]
    pixels = pixels.astype(np.float64)
    values = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    for step in range(_STEPS if distorted else 1):
        # The first step leaves the distortion at zero: a start from which Gauss-Newton converges.
        free = 8 if step else 4
        rest = (pixels - _project(xy, values)).reshape(-1)
        values[:free] += _least_squares(_jacobian(xy, values)[:, :free], rest)
    residual = np.median(np.linalg.norm(pixels - _project(xy, values), axis=1))
    matrix = np.array([[values[0], 0, values[2]], [0, values[1], values[3]], [0, 0, 1]])
    return LensFit(opencv_camera(matrix, values[4:], image_size), float(residual))


def _least_squares(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """By normal equations of columns of unit length: many rows, few columns."""
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    matrix = matrix / scale
    return np.linalg.lstsq(matrix.T @ matrix, matrix.T @ right, rcond=None)[0] / scale


def _distort(xy: np.ndarray, values: np.ndarray) -> np.ndarray:
    k1, k2, p1, p2 = values[4:]
    x, y = xy.T
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2
    lean_x, lean_y = 2 * p1 * x * y + p2 * (r2 + 2 * x**2), p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.stack((x * radial + lean_x, y * radial + lean_y), axis=1)


def _project(xy: np.ndarray, values: np.ndarray) -> np.ndarray:
    return _distort(xy, values) * values[:2] + values[2:4]


def _jacobian(xy: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[2 points, 8]: how u and v of each point change with fx, fy, cx, cy, k1, k2, p1, p2."""
    x, y = xy.T
    r2, zero, one = x**2 + y**2, np.zeros(len(x)), np.ones(len(x))
    bent_x, bent_y = _distort(xy, values).T
    fx, fy = values[:2]
    u = (bent_x, zero, one, zero, fx * x * r2, fx * x * r2**2, fx * 2 * x * y, fx * (r2 + 2 * x**2))
    v = (zero, bent_y, zero, one, fy * y * r2, fy * y * r2**2, fy * (r2 + 2 * y**2), fy * 2 * x * y)
    return np.stack((np.stack(u, axis=1), np.stack(v, axis=1)), axis=1).reshape(-1, 8)
