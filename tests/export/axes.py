"""The axes of files with y up, turned back."""

import numpy as np


def y_up_to_z_up(points: np.ndarray) -> np.ndarray:
    """The inverse of ``z_up_to_y_up``: x stays, y becomes z and z becomes -y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
