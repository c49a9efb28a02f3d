"""Cuts from one scene to another in a clip, after which nobody is who they were."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

BLOCKS = 16
"""Rows and columns of the grid of colours that stands for a picture."""
_MOST_CORRELATION = 0.5
"""Correlation with the picture before up to which a picture can be that of another scene. A flash, or
exposure that adapts, changes the brightness and leaves the correlation."""
_LEAST_DIFFERENCE = 0.06
"""Mean difference of the colours (black to white is 1) that another scene has at least. Without it, people
who come before a plain wall would be another scene."""


class SceneCuts:
    """Compares every picture of a clip with the one before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def is_cut(self, image: UInt8[np.ndarray, "height width 3"]) -> bool:
        """Whether the next picture of the clip begins another scene; never of the first one.

        Args:
            image: RGB, of the size of the others.
        """
        before, now = self._before, _colour_grid(image)
        self._before = now
        if before is None or np.abs(now - before).mean() < _LEAST_DIFFERENCE:
            return False
        return _correlation(before, now) <= _MOST_CORRELATION


def _colour_grid(image: np.ndarray) -> Float[np.ndarray, "rows columns 3"]:
    """Mean colours, 0 to 1, of the blocks of a grid, from some pixels of each."""
    step = max(1, min(image.shape[:2]) // (4 * BLOCKS))
    some = image[::step, ::step].astype(np.float32) / 255
    rows, columns = (np.linspace(0, side, min(BLOCKS, side) + 1).astype(int)[:-1] for side in some.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(some, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, some.shape[0]).astype(np.float64))
    widths = np.diff(np.append(columns, some.shape[1]).astype(np.float64))
    return sums / (heights[:, None] * widths)[..., None]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of the colours about their mean; 0 if one of the pictures has a single grey, 1 if both have."""
    one, other = one - one.mean(), other - other.mean()
    flat = [float((each**2).sum()) < 1e-6 for each in (one, other)]
    if any(flat):
        return float(all(flat))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
