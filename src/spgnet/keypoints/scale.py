"""How large a person is in the image, from the lengths of the bones that are seen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from spgnet.geometry.skeleton import BODY, HUMAN36M

WINDOW = 1.0
"""Seconds over which the size is a median."""
MIN_BONES = 4
"""Bones with both ends known that a frame needs to count in the median."""

PARENTS, CHILDREN = (list(ends) for ends in zip(*HUMAN36M.bones, strict=True))
LENGTHS = np.array([BODY[HUMAN36M.joint_types[child]] for child in CHILDREN])
"""Metres of the bones of an average body, by the joints at their ends."""


def pixels_per_metre(
    pixels: Float[np.ndarray, "*frames 17 2"], known: Bool[np.ndarray, "*frames 17"], *, min_bones: int = 1
) -> Float[np.ndarray, "*frames"]:
    """How many pixels a metre is at the person's distance, if the person is 1.75 m tall.

    It is the upper quartile over the bones of their length in the image per metre, but at most 1.5 times the
    median: a bone seen end-on is short, and one with an outlier at its end long. NaN where fewer than
    ``min_bones`` have known ends.
    """
    lengths = np.linalg.norm(pixels[..., CHILDREN, :] - pixels[..., PARENTS, :], axis=-1) / LENGTHS
    seen = known[..., CHILDREN] & known[..., PARENTS]
    count = seen.sum(axis=-1)
    ordered = np.sort(np.where(seen, lengths, np.inf), axis=-1)
    ranks = np.minimum(np.stack((3 * count // 4, count // 2), axis=-1), len(LENGTHS) - 1)
    quartile, median = np.moveaxis(np.take_along_axis(ordered, ranks, axis=-1), -1, 0)
    return np.where(count >= min_bones, np.minimum(quartile, 1.5 * median), np.nan)


def steady_pixels_per_metre(
    pixels: Float[np.ndarray, "frames 17 2"],
    known: Bool[np.ndarray, "frames 17"],
    times: Float[np.ndarray, " frames"],
) -> Float[np.ndarray, " frames"]:
    """:func:`pixels_per_metre` as a running median over time in seconds, and across frames without it.

    It is NaN in all frames if none has :data:`MIN_BONES` with known ends.
    """
    scale = pixels_per_metre(pixels, known, min_bones=MIN_BONES)
    told = np.flatnonzero(np.isfinite(scale))
    if not len(told):
        return scale
    half_window = ((times[told] - times[told[0]]) // (WINDOW / 2)).astype(int)
    pieces = np.split(told, np.flatnonzero(np.diff(half_window)) + 1)
    medians = [np.median(scale[np.concatenate(pieces[max(0, i - 1) : i + 2])]) for i in range(len(pieces))]
    return np.interp(times, [times[piece].mean() for piece in pieces], medians)
