"""Changes of axes between this project's world and those of file formats; all are rotations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def z_up_to_y_up(points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
    """The same points with y up: x stays, y becomes -z and z becomes y. Units are kept."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def y_up_to_z_up(points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
    """The inverse of :func:`z_up_to_y_up`: x stays, y becomes z and z becomes -y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
